// What was decided about the photos of a revision; kept in this browser until it is saved as a revision.

const PLACE = "pedigree-review";

let key = null;
let made = [];
// Whether this browser keeps them: then what another tab has added is read before anything is changed.
let isKept = true;

export function openDecisions(dataset, revision) {
  key = revision === null ? null : `${PLACE}:${dataset}:${revision}`;
  isKept = true;
  made = key === null ? [] : read(key);
}

function read(place) {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    // Another script's, or a browser that keeps nothing: the decisions of this tab are enough.
    return [];
  }
}

function keep() {
  try {
    if (made.length) localStorage.setItem(key, JSON.stringify(made));
    else localStorage.removeItem(key);
    isKept = true;
  } catch {
    // Full, or forbidden: this tab still has them.
    isKept = false;
  }
}

function renew() {
  if (isKept && key !== null) made = read(key);
}

export const decisions = () => made;
export const decided = (item) => made.find((one) => one.item === item) ?? null;

// The last word on a photo counts.
export function decide(items, action, label) {
  const again = new Set(items.map(({ item }) => item));
  const fresh = items.map((one) => ({
    item: one.item, action, label: action === "relabel" ? label : null, before: one.label, path: one.path, image: one.image,
  }));
  renew();
  made = [...made.filter(({ item }) => !again.has(item)), ...fresh];
  keep();
}

// Take one back, or the last; the photo that it was about, null where there was none.
export function undo(item = made.at(-1)?.item) {
  renew();
  if (!decided(item)) return null;
  made = made.filter((one) => one.item !== item);
  keep();
  return item;
}

// They went with a job: once it has made the revision they are done; where it fails they are still here.
export function markSent(job, items) {
  renew();
  made = made.map((one) => (items.has(one.item) ? { ...one, sent: job } : one));
  keep();
}

export function forgetSent(job) {
  renew();
  const rest = made.filter(({ sent }) => sent !== job);
  const isAny = rest.length < made.length;
  made = rest;
  if (isAny) keep();
  return isAny;
}

export function counts() {
  const of = (action) => made.filter((one) => one.action === action).length;
  return { relabelled: of("relabel"), dropped: of("drop"), kept: of("keep") };
}

// What was decided about earlier revisions of the dataset, by the place where it is kept.
export function earlier(dataset) {
  const start = `${PLACE}:${dataset}:`;
  try {
    return Object.keys(localStorage).filter((place) => place.startsWith(start) && place !== key).map((place) => [place, read(place)]);
  } catch {
    return [];
  }
}

// What was found again in this revision is decided here too; of `places` the rest is all that there still is.
export function takeOver(found, places) {
  renew();
  made = [...made, ...found.filter(({ item }) => !decided(item))];
  keep();
  if (!isKept) return;
  for (const [place, rest] of places) {
    if (rest.length) localStorage.setItem(place, JSON.stringify(rest));
    else localStorage.removeItem(place);
  }
}
