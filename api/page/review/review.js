// Review: photos whose label is worth a look, one by one or many at once, and what was decided about them.

import { addressOf, amend, go, here, placeOf } from "../frame/address.js";
import { enlarge } from "../frame/enlarged.js";
import { byId, counted, make } from "../frame/parts.js";
import { forget, tell } from "../frame/service.js";
import { carryOver } from "./carrying.js";
import { decide, decided, openDecisions, undo } from "./decisions.js";
import { showEmpty } from "./empty.js";
import { prepareGrid, showGrid, untickOthers } from "./grid.js";
import { listenToKeys } from "./keys.js";
import { loadQueue, more, queue } from "./queue.js";
import { checkSaved, hearOfSaved, leaveSaved, prepareSaving } from "./saving.js";
import { largePhoto, showStage } from "./stage.js";
import { showTray } from "./tray.js";

const SOURCES = [
  ["doubtful", "Doubtful labels"],
  ["top_losses", "Top losses"],
  ["unsure", "Unsure answers"],
  ["unknown", "Unknown kinds"],
  ["feedback", "Feedback"],
];
const AHEAD = 5;
// So many are looked through for the photo that the address names, or for one to decide about.
const MOST_SOUGHT = 600;

let name = null;
let shownSource = null;
let loads = 0;
let ready = false;

const source = () => (SOURCES.some(([one]) => one === placeOf().query.get("source")) ? placeOf().query.get("source") : "doubtful");
const isGrid = () => placeOf().query.get("view") === "grid";
const position = () => {
  const asked = placeOf().query.get("at");
  const at = queue().items.findIndex(({ item }) => String(item) === asked);
  return at < 0 ? Math.max(0, nextOpen(-1)) : at;
};

function nextOpen(after) {
  const { items } = queue();
  const rest = [...items.keys()].filter((at) => at > after && !decided(items[at].item));
  return rest[0] ?? [...items.keys()].find((at) => !decided(items[at].item)) ?? -1;
}

// Page by page, until it is there.
async function seek(isThere) {
  while (!isThere() && queue().next !== null && queue().items.length < MOST_SOUGHT) await more();
}

// After a reload: the photo that one was at, or else one that is undecided.
function isPlaced() {
  const { query } = placeOf();
  const asked = query.get("photo") ?? query.get("at");
  return asked === null ? nextOpen(-1) >= 0 : queue().items.some(({ item }) => String(item) === asked);
}

const goTo = (at) => { if (queue().items[at]) amend({ at: queue().items[at].item }); };

// Near the end of what is here: the next photos. Where they cannot be read, it is said and one moves among these.
async function moreAt(at) {
  if (at >= queue().items.length - AHEAD) await more();
}

async function step(by) {
  const at = position() + by;
  await tell("more", moreAt(at));
  goTo(Math.min(Math.max(at, 0), queue().items.length - 1));
}

// One decision, and the next photo that has none.
async function choose(action, label = null) {
  const at = position();
  const one = queue().items[at];
  if (!one || (action === "keep" && one.label === null) || (action === "relabel" && !label)) return;
  // The breed that it has already says that the label is right.
  decide([one], label === one.label && label !== null ? "keep" : action, label);
  await tell("more", moreAt(at).then(() => seek(() => nextOpen(-1) >= 0)));
  const next = nextOpen(at);
  goTo(next < 0 ? at : next);
}

function chooseMany(items, action, label) {
  decide(items, action, label);
  draw();
}

function takeBack(item) {
  const gone = undo(item);
  if (gone !== null) amend({ at: gone });
}

const acts = { choose, chooseMany, step, takeBack, goTo, more: async () => { await tell("more", more()); draw(); }, current: () => queue().items[position()] };

function draw() {
  const { items, problem } = queue();
  const isEmpty = items.length === 0;
  byId("review-desk").hidden = isEmpty;
  byId("review-stage").hidden = isGrid();
  byId("review-grid").hidden = !isGrid();
  showHead();
  showEmpty(isEmpty ? { name, source: source(), problem } : null);
  if (isEmpty) return;
  if (isGrid()) showGrid(queue(), acts);
  else showStage(byId("review-stage"), queue(), position(), nextOpen(-1) < 0, acts);
  showTray(queue(), acts);
  showLarge();
}

// The photo that the address names, in either view.
function showLarge() {
  const further = queue().next === null ? null : async () => { await more(); return queue().items.map(largePhoto); };
  const isThere = enlarge(queue().items.map(largePhoto), placeOf().query.get("photo"), further);
  tell("photo", isThere ? null : Promise.reject(new Error("That photo is not in this list.")));
}

function showHead() {
  const { run, side, examined, waiting, wrong } = queue();
  const which = run === null ? "" : `By the predictions of run ${run} on ${counted(examined, "photo")}${side === "all" ? "" : " that it was not trained on"}`;
  const about = wrong === null ? "" : `; about ${Math.round(wrong)} labels look wrong`;
  const at = queue().revision === null ? "" : make("span", { class: "quiet", title: queue().revision }, ` revision ${queue().revision_number}`);
  byId("review-title").replaceChildren("Review labels of ", make("a", { href: addressOf(`data/${name}`) }, name), at);
  byId("review-about").textContent = which ? `${which}${about}. ${counted(waiting, "photo")} in this list.` : "";
  byId("review-sources").replaceChildren(...SOURCES.map(([key, text]) => make("a", {
    class: "button secondary", href: here({ source: key, at: null, photo: null }), "aria-current": key === source() ? "true" : null,
  }, text)), make("a", { class: "button secondary", href: addressOf("label", { dataset: name }) }, "What to label next"));
  for (const button of byId("review-views").children) button.setAttribute("aria-pressed", String((button.dataset.view === "grid") === isGrid()));
}

// What could not be read is read when it is asked for again.
async function show() {
  const load = ++loads;
  shownSource = source();
  try {
    await showLoad(load);
  } catch (error) {
    if (load === loads) shownSource = null;
    throw error;
  }
}

async function showLoad(load) {
  byId("review-carried").textContent = "";
  byId("review-desk").hidden = true;
  showEmpty({ name, source: shownSource, isLoading: true });
  await loadQueue(name, shownSource, placeOf().query.get("run"));
  if (load !== loads) return;
  openDecisions(name, queue().revision);
  untickOthers(name, queue().revision);
  byId("review-breeds").replaceChildren(...queue().vocab.map((value) => make("option", { value })));
  if (queue().revision === null) return draw();
  const missing = await tell("more", seek(() => load !== loads || isPlaced()));
  if (load !== loads) return;
  if (missing?.isAway) throw missing;
  draw();
  const carried = await carryOver(name, queue().vocab, () => load === loads);
  if (load !== loads || !carried) return;
  byId("review-carried").textContent = carried;
  draw();
}

function prepare() {
  if (ready) return;
  ready = true;
  prepareGrid();
  prepareSaving({ name: () => name, again: show, redraw: draw });
  listenToKeys(acts, () => name !== null && !isGrid() && !byId("review-desk").hidden);
  byId("review-views").addEventListener("click", ({ target }) => target.dataset.view && go(here({ view: target.dataset.view === "grid" ? "grid" : null })));
  byId("tray-undo").addEventListener("click", () => takeBack());
}

export const review = {
  title: ({ dataset }) => `Review ${dataset}`,
  async open({ dataset }) {
    name = dataset;
    prepare();
    await show();
    await checkSaved();
  },
  turn: () => (source() === shownSource ? draw() : show()),
  refresh: () => checkSaved(),
  hear: hearOfSaved,
  close() {
    name = null;
    loads += 1;
    forget("more");
    forget("photo");
    leaveSaved();
  },
};
