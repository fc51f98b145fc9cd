// The page: one view at a time, by its address; everything it shows comes from the HTTP API.

import { showServed } from "../models/served.js";
import { followLinks, placeOf } from "./address.js";
import { closePhotos, preparePhotos } from "./enlarged.js";
import { redrawFigures } from "./figures.js";
import { isLooking, look } from "./looks.js";
import { byId } from "./parts.js";
import { askForPictures, keepPictures } from "./pictures.js";
import { showScrolling } from "./scrolls.js";
import { forgetAllBut, forgetPassed, hearAway, tell } from "./service.js";
import { showSessionOnce } from "./session.js";
import { hear, keepStream } from "./stream.js";
import { scheme } from "./theme.js";
import { bringTheRest, bringView, viewNamed } from "./views.js";

// A view is an object of
//   title(parts)         what the window is called;
//   open(parts, query)   shows it; again where its parts change, and where something of it failed while the service was away:
//                        it does all that the first call did not come to, and nothing twice;
//   turn(query)          the query has changed, the parts have not; without it, `open` is called;
//   refresh(isMissed)    something may have changed; `isMissed`: while nobody looked or listened;
//   hear(told)           an event of the stream; true where something of the view is to be read for it;
//   close()              another view comes.
// All but the first two may be missing. Those that wait return their promise: what goes wrong is told in one line.
const AREAS = { run: "runs", compare: "runs", dataset: "data", review: "data", label: "data", model: "models", study: "train", searches: "train" };
const REFRESH_MS = 5000;
const SOON_MS = 200;
// What is asked for again anyway, or with the next click; for all else that could not be read the view is opened again.
const ASKED_AGAIN = new Set(["served", "refresh", "more", "moves"]);
const LOST = {
  path: "There is no view at this address. Choose one above.",
  run: "No run is named so. Give a run’s number.",
  version: "No version is named so. Give a version’s number.",
  dataset: "No dataset is named so. Choose one of the list.",
  search: "No search is named so. Give the number of its job.",
};

let shown = { view: null, parts: {}, query: new URLSearchParams() };
let soon = 0;
let isMissed = false;
let openings = 0;
let visits = 0;
// Something of the view failed since the service was away, which may have asked to be left alone for a while.
let isAway = false;
let restsUntil = 0;
// Something has happened since the look that is under way began.
let isDue = false;

const current = () => viewNamed(shown.view) ?? {};

// `isNew`: somebody has gone there, rather than back.
function show(isNew = false) {
  const before = shown;
  const next = placeOf();
  const isSame = next.view === before.view && JSON.stringify(next.parts) === JSON.stringify(before.parts);
  shown = next.lost ? { ...next, view: null } : next;
  entitle();
  tell("address", next.lost ? Promise.reject(new Error(LOST[next.lost])) : null);
  if (isSame && shown.view !== null) {
    if (current().turn) tell("view", current().turn(next.query));
    else openView();
    return;
  }
  viewNamed(before.view)?.close?.();
  openings += 1;
  visits += 1;
  isAway = isDue = false;
  closePhotos();
  for (const question of document.querySelectorAll("dialog.confirm[open]")) question.close();
  forgetAllBut(["served", "address"]);
  // Of a view that nobody has brought yet nothing is shown: what is done in it would be lost.
  showOnly(viewNamed(shown.view) ? shown.view : null);
  markArea(shown.view);
  if (isNew) scrollTo(0, 0);
  if (shown.view !== null) openView();
}

function entitle() {
  document.title = [current().title?.(shown.parts), "Pedigree"].filter(Boolean).join(" · ");
}

// What is wrong with an address stays said; where the service was away the view is opened again.
async function openView() {
  if (shown.view === null) return null;
  const opening = ++openings;
  isAway = false;
  const failure = await awaited(tell("view", bringAndOpen(opening), () => opening === openings));
  // A browser may keep it that a script did not come.
  if (!failure?.isAway) bringTheRest();
  return failure;
}

hearAway((about, { isRead, restMs = 0 }) => {
  if (!isRead) return;
  restsUntil = Math.max(restsUntil, performance.now() + restMs);
  if (!ASKED_AGAIN.has(about)) isAway = true;
});

// Somebody may have gone elsewhere until the view is there.
async function bringAndOpen(opening) {
  const view = viewNamed(shown.view) ?? await bringView(shown.view);
  if (opening !== openings) return;
  entitle();
  if (byId(`view-${shown.view}`).hidden) showOnly(shown.view);
  await view.open(shown.parts, shown.query);
}

// A screen reader and the keyboard begin at the view that has come, but not when the page is opened.
function showOnly(view) {
  for (const part of document.querySelectorAll(".view")) part.hidden = part.id !== `view-${view}`;
  if (history.state?.ours) byId(`view-${view}`)?.focus({ preventScroll: true });
}

function markArea(view) {
  for (const link of document.querySelectorAll("a[data-area]")) {
    if (link.dataset.area === (AREAS[view] ?? view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// What has happened meanwhile is looked at right after.
const awaited = (work) => look(visits, work, () => { if (isDue) refreshSoon(); });

function refresh() {
  if (!isLooking(visits)) awaited(refreshAll());
}

async function refreshAll() {
  if (document.hidden || performance.now() < restsUntil) return;
  const served = tell("served", showServed());
  served.then(showSessionOnce);
  served.then((failure) => { if (failure === null) askForPictures(); });
  const failures = await Promise.all([served, isAway ? openView() : refreshView()]);
  if (failures.every((failure) => failure === null)) forgetPassed();
}

// What was missed is missed until the view has been read anew.
async function refreshView() {
  const [missed, visit] = [isMissed, visits];
  isMissed = false;
  const failure = await tell("refresh", current().refresh?.(missed));
  if (failure && visit === visits) isMissed ||= missed;
  return failure;
}

// Once for all that happens at about the same time.
function refreshSoon() {
  soon ||= setTimeout(() => {
    soon = 0;
    isDue = isLooking(visits);
    refresh();
  }, SOON_MS);
}

// What may have changed while nobody looked or listened.
function catchUp() {
  isMissed = true;
  refreshSoon();
}

hear((told) => {
  if (told.kind === "start") {
    catchUp();
    return;
  }
  if (current().hear?.(told) === true || told.kind === "state") refreshSoon();
});

// The document's links are relative; the address that they are relative to changes with the views.
for (const link of document.querySelectorAll("header a, footer a, .view a[href]")) link.setAttribute("href", link.pathname + link.search);

document.addEventListener("visibilitychange", catchUp);
scheme.addEventListener("change", redrawFigures);
setInterval(refresh, REFRESH_MS);
showScrolling();
preparePhotos();
keepPictures();
followLinks(show);
byId("reload").addEventListener("click", () => location.reload());
tell("served", showServed()).then(showSessionOnce);
show();
keepStream();
