// The photos behind a cell of the confusion, a pair of breeds or a breed: which ones stands in the address.

import { here, leave, placeOf, queryName } from "../frame/address.js";
import { byId, counted, make, whileBusy, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { photoCard } from "./photo_card.js";

const PART = 60;
// So many are looked through for a photo that the address names.
const MOST_SOUGHT = 600;

let shown = [];
let told = "";
let cursor = null;
let asked = 0;
// What was brought into sight last; what is read again is not.
let opened = "";

const wish = () => {
  const { query } = placeOf();
  return { actual: query.get("actual"), predicted: query.get("predicted"), correct: query.get("correct"), dataset: queryName("on") };
};

// The address of the photos of a cell or a breed.
export const shotsAddress = (actual, predicted = null) => here({ tab: "mistakes", actual, predicted, correct: null, photo: null });

export const isWished = () => ["actual", "predicted"].some((key) => wish()[key]);

export const shots = () => shown;

// The rest of them, where there is any.
export const furtherShots = (run) => (cursor === null ? null : () => readMore(run).then(shots));

export function hideShots() {
  opened = "";
  clear();
}

function clear() {
  asked += 1;
  [shown, told, cursor] = [[], "", null];
  byId("shots").hidden = true;
  byId("shots-grid").replaceChildren();
}

// Those that the address names; nothing is asked for twice.
export async function showShots(run, item) {
  if (!isWished()) return hideShots();
  const key = JSON.stringify([run.id, wish()]);
  const isNew = key !== told;
  if (isNew) {
    clear();
    told = key;
    openShots();
    if (key !== opened) showOpened();
    opened = key;
    await readFirst(run, key);
  }
  while (item !== null && cursor && key === told && shown.length < MOST_SOUGHT && !shown.some((one) => one.item === item)) await readMore(run);
  return null;
}

// What could not be read is not there: it is asked for again.
async function readFirst(run, key) {
  try {
    await readMore(run);
  } catch (error) {
    if (key === told) told = "";
    throw error;
  }
}

function openShots() {
  const { actual, predicted } = wish();
  byId("shots").hidden = false;
  byId("shots-title").textContent = titleOf(actual, predicted);
  byId("shots-facts").textContent = "Looking for them …";
  byId("shots-close").onclick = () => leave({ actual: null, predicted: null, correct: null });
  byId("more-shots").hidden = true;
}

function showOpened() {
  byId("shots").scrollIntoView({ block: "start" });
  byId("shots-title").focus({ preventScroll: true });
}

function titleOf(actual, predicted) {
  if (actual && actual === predicted) return `${words(actual)}, recognised`;
  if (actual && predicted) return `${words(actual)}, taken for ${words(predicted)}`;
  return actual ? `All photos of ${words(actual)}` : `All that was taken for ${words(predicted)}`;
}

async function readMore(run) {
  const question = ++asked;
  const given = Object.entries({ ...wish(), cursor, limit: PART }).filter(([, value]) => value !== null);
  const page = await ask(`/runs/${run.id}/items?${new URLSearchParams(given)}`);
  if (question !== asked) return;
  shown = [...shown, ...page.items];
  cursor = page.next_cursor;
  byId("shots-grid").append(...page.items.map(photoCard));
  byId("shots-facts").textContent = factsOf();
  byId("more-shots").hidden = cursor === null;
  byId("more-shots").onclick = () => tell("shots", whileBusy(byId("more-shots"), () => readMore(run)));
}

function factsOf() {
  if (!shown.length) return "There is none.";
  const more = cursor ? "The first " : "";
  return `${more}${counted(shown.length, "photo")}, the worst first.`;
}

export const shotsLink = (text, actual, predicted = null) =>
  make("a", { href: shotsAddress(actual, predicted), title: "Show the photos" }, text);
