// A photo of a list shown large, with its name; the arrow keys and a swipe lead through the list. Which photo it is stands
// in the address, as `photo`: Back closes it.

import { amend, at, here, leave } from "./address.js";
import { byId, make } from "./parts.js";
import { tell } from "./service.js";

const SWIPE_PX = 50;

let list = [];
let shown = -1;
let readMore = null;
let opener = null;
let swipe = null;

export const fileOf = (path, other) => path?.split("/").at(-1) ?? other;

// The link that shows a photo of a list larger; what else the address says may have changed since the list was drawn.
export const largerLink = (key, options, ...children) => make("a", {
  href: here({ photo: key }), title: "Show it larger", "data-photo": key, ...options,
  on: { click: ({ currentTarget }) => { currentTarget.href = here({ photo: key }); } },
}, ...children);

// Show the photo that the address names, or none. False where it is not among these. A photo is
//   key     what the address names it by;
//   name    of its file, and `image`, where that is;
//   facts   pairs of a name and what is told.
// `more` comes to the longer list, where there is one.
export function enlarge(photos, key, more = null) {
  list = photos;
  readMore = more;
  shown = key === null ? -1 : photos.findIndex((one) => String(one.key) === String(key));
  if (shown < 0) {
    close();
    return key === null;
  }
  draw(photos[shown]);
  open();
  return true;
}

function open() {
  const dialog = byId("photo-view");
  if (dialog.open) return;
  opener = document.activeElement?.dataset.photo ?? list[shown].key;
  dialog.showModal();
}

// The keyboard goes back to the photo that was opened; a list that was drawn anew has another link to it.
function close() {
  const dialog = byId("photo-view");
  if (!dialog.open) return;
  dialog.close();
  const active = document.activeElement;
  const isLost = active === null || active === document.body || dialog.contains(active);
  if (isLost) document.querySelector(`.view:not([hidden]) [data-photo="${CSS.escape(opener)}"]`)?.focus();
}

export function closePhotos() {
  [list, readMore] = [[], null];
  close();
}

function draw({ name, image, facts }) {
  byId("photo-title").textContent = name;
  byId("photo-large").src = at(image);
  byId("photo-large").alt = `The photo ${name}`;
  byId("photo-facts").replaceChildren(...facts.flatMap(([what, value]) => [make("dt", {}, what), make("dd", {}, value)]));
  byId("photo-file").href = at(image);
  byId("photo-place").textContent = `${shown + 1} of ${list.length}${readMore ? "+" : ""}`;
  byId("photo-before").disabled = shown === 0;
  byId("photo-after").disabled = shown === list.length - 1 && readMore === null;
}

// One Back closes it, however many were looked at.
async function step(by) {
  const wanted = shown + by;
  if (wanted >= list.length && readMore) await tell("more", readMore().then((longer) => { list = longer; }));
  if (byId("photo-view").open && list[wanted]) amend({ photo: list[wanted].key });
}

function swiped({ clientX, clientY }) {
  const [across, down] = [clientX - swipe.clientX, clientY - swipe.clientY];
  swipe = null;
  if (Math.abs(across) > SWIPE_PX && Math.abs(across) > 2 * Math.abs(down)) step(across < 0 ? 1 : -1);
}

// Escape, the button and a click beside the picture close it, as Back does.
export function preparePhotos() {
  const dialog = byId("photo-view");
  const shut = () => leave({ photo: null });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); shut(); });
  byId("photo-close").addEventListener("click", shut);
  byId("photo-before").addEventListener("click", () => step(-1));
  byId("photo-after").addEventListener("click", () => step(1));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) shut(); });
  dialog.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") step(-1);
    if (key === "ArrowRight") step(1);
  });
  // With two fingers it is made larger.
  dialog.addEventListener("touchstart", ({ touches }) => { swipe = touches.length === 1 ? touches[0] : null; }, { passive: true });
  dialog.addEventListener("touchend", ({ changedTouches }) => { if (swipe) swiped(changedTouches[0]); }, { passive: true });
}
