// A photo of a list shown large, with its name; the arrow keys lead through the list.

import { amend, at, leave } from "../frame/address.js";
import { byId, make, percent, words } from "../frame/parts.js";

let list = [];
let shown = null;

export const nameOf = ({ path, item }) => path?.split("/").at(-1) ?? `item ${item}`;
export const lossOf = ({ loss }) => (loss === null ? "infinite" : loss.toFixed(2));

// Show the photo of the list that the address names, or none. False where it is not in it.
export function enlarge(photos, item) {
  list = photos;
  const dialog = byId("photo-view");
  shown = photos.findIndex((photo) => photo.item === item);
  if (shown < 0) {
    dialog.close();
    return item === null;
  }
  draw(photos[shown]);
  if (!dialog.open) dialog.showModal();
  return true;
}

function draw(one) {
  byId("photo-title").textContent = nameOf(one);
  byId("photo-large").src = at(one.image);
  byId("photo-large").alt = `The photo ${nameOf(one)}`;
  const fact = (name, ...value) => [make("dt", {}, name), make("dd", {}, ...value)];
  byId("photo-facts").replaceChildren(
    ...fact("Actual", `${words(one.actual)}, ${percent(one.probability_actual)}`),
    ...fact("Predicted", `${words(one.predicted)}, ${percent(one.probability_predicted)}`),
    ...fact("Loss", lossOf(one)), ...fact("File", one.path ?? "–"), ...fact("Item", String(one.item)),
    ...(one.trained_on ? fact("Trained on", "yes, this very picture") : []));
  byId("photo-file").href = at(one.image);
  byId("photo-place").textContent = `${shown + 1} of ${list.length}`;
  byId("photo-before").disabled = shown === 0;
  byId("photo-after").disabled = shown === list.length - 1;
}

// One Back closes it, however many were looked at.
function step(by) {
  const next = list[shown + by];
  if (next) amend({ photo: next.item });
}

export function closePhotos() {
  list = [];
  byId("photo-view").close();
}

// Escape, the button and a click beside the picture close it, as Back does.
export function preparePhotos() {
  const dialog = byId("photo-view");
  const close = () => leave({ photo: null });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  byId("photo-close").addEventListener("click", close);
  byId("photo-before").addEventListener("click", () => step(-1));
  byId("photo-after").addEventListener("click", () => step(1));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  dialog.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") step(-1);
    if (key === "ArrowRight") step(1);
  });
}

// A photo in a list, with what it shows and what it was taken for.
export function photoCard(one, address) {
  const chance = (breed, probability) => make("span", {}, `${words(breed)} `, make("b", {}, percent(probability)));
  return make("li", {}, make("a", { href: address, title: "Show it larger" },
    make("img", { src: at(one.image), loading: "lazy", alt: "" }), make("span", { class: "file" }, nameOf(one))),
    make("span", { class: "quiet" }, `loss ${lossOf(one)}`),
    make("span", {}, "Actual: ", chance(one.actual, one.probability_actual)),
    make("span", {}, "Predicted: ", chance(one.predicted, one.probability_predicted)),
    one.trained_on ? make("span", { class: "tag" }, "trained on") : "");
}
