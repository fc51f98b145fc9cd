// The photos about which only one of two runs was right, or neither.

import { amend, at, placeOf } from "../frame/address.js";
import { closePhotos, enlarge, fileOf, largerLink } from "../frame/enlarged.js";
import { byId, make, percent, whileBusy, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";

const WHICH = ["only_first", "only_second", "both_wrong"];
const PAGE = 24;

const NONE = { name: null, items: [], cursor: null };
let shown = NONE;

const chosen = (query) => (WHICH.includes(query.get("which")) ? query.get("which") : null);
const nameOf = ({ path, item }) => fileOf(path, `item ${item}`);

// Without a word in the address the first kind of which there are photos.
const usual = (outcomes) => WHICH.find((which) => outcomes[which] > 0) ?? WHICH[0];

export async function showPhotos({ runs, outcomes }, query) {
  const which = chosen(query) ?? usual(outcomes);
  byId("compare-photos").hidden = false;
  showTabs(runs, outcomes, which);
  const name = `${runs}/${which}`;
  if (shown.name !== name) {
    shown = { name, runs, which, items: [], cursor: "" };
    byId("compared-photos").replaceChildren();
    byId("no-photos").hidden = outcomes[which] > 0;
    byId("no-photos").textContent = which === "both_wrong" ? "There is no photo that both got wrong." : "There is no photo that only this run got right.";
    byId("more-compared").hidden = true;
    if (outcomes[which] > 0) await readFirst(shown);
  }
  showNamed();
}

// Photos that could not be read are not there: they are asked for again.
async function readFirst(of) {
  try {
    await readMore();
  } catch (error) {
    if (of === shown) shown = NONE;
    throw error;
  }
}

async function readMore() {
  const kept = shown;
  const cursor = kept.cursor ? `&cursor=${encodeURIComponent(kept.cursor)}` : "";
  const page = await ask(`/runs/compare/items?runs=${kept.runs}&which=${kept.which}&limit=${PAGE}${cursor}`);
  if (kept !== shown) return;
  kept.items.push(...page.items);
  kept.cursor = page.next_cursor;
  byId("compared-photos").append(...page.items.map(card));
  byId("more-compared").hidden = page.next_cursor === null;
}

function showTabs([first, second], outcomes, which) {
  const label = { only_first: `Only run ${first} right`, only_second: `Only run ${second} right`, both_wrong: "Both wrong" };
  const focused = document.activeElement?.closest("#photo-tabs");
  byId("photo-tabs").replaceChildren(...WHICH.map((one) => make("button", {
    type: "button", role: "tab", class: "secondary", id: `tab-${one}`, "aria-selected": String(one === which),
    "aria-controls": "photo-panel", tabindex: one === which ? "0" : "-1", on: { click: () => amend({ which: one, photo: null }) },
  }, `${label[one]} (${outcomes[one]})`)));
  byId("photo-panel").setAttribute("aria-labelledby", `tab-${which}`);
  if (focused) byId(`tab-${which}`).focus();
}

// The arrow keys go from tab to tab, as in every list of tabs.
function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = [...byId("photo-tabs").children];
  const next = tabs[(tabs.findIndex((tab) => tab.tabIndex === 0) + step + tabs.length) % tabs.length];
  event.preventDefault();
  next.focus();
  next.click();
}

function card(one) {
  return make("li", {}, largerLink(one.item, {},
    make("img", { src: at(one.image), loading: "lazy", alt: "" }), make("span", { class: "file" }, nameOf(one))),
  make("span", { class: "actual" }, words(one.actual)), ...one.answers.map((answer) => answerLine(one, answer)));
}

function answerLine({ actual }, { run, predicted, probability }) {
  const isRight = predicted === actual;
  return make("span", { class: `answer ${isRight ? "right" : "wrong"}` }, `Run ${run} ${isRight ? "✓" : "✗"} `,
    isRight ? make("span", { class: "unseen" }, "right, ") : "", isRight ? "" : `${words(predicted)} `, make("span", { class: "quiet" }, percent(probability)));
}

// The photo that the address names, or none.
function showNamed() {
  const more = shown.cursor ? () => readMore().then(() => shown.items.map(largePhoto)) : null;
  enlarge(shown.items.map(largePhoto), placeOf().query.get("photo"), more);
}

function largePhoto(one) {
  const said = ({ run, predicted, probability }) => [`Run ${run}`, `${words(predicted)}, ${percent(probability)}, ${predicted === one.actual ? "right" : "wrong"}`];
  return { key: one.item, name: nameOf(one), image: one.image,
    facts: [["Actual", words(one.actual)], ...one.answers.map(said), ["File", one.path ?? "–"], ["Item", String(one.item)]] };
}

export function hidePhotos() {
  shown = NONE;
  byId("compare-photos").hidden = true;
  closePhotos();
}

export function preparePhotos() {
  byId("photo-tabs").addEventListener("keydown", moveTab);
  byId("more-compared").addEventListener("click", () => tell("view", whileBusy(byId("more-compared"), readMore)));
}
