// What was decided about the photos of a revision; kept in this browser until it is saved as a revision.

const PLACE = "pedigree-review";

let key = null;
let made = [];

export function openDecisions(dataset, revision) {
  key = revision === null ? null : `${PLACE}:${dataset}:${revision}`;
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
  } catch {
    // Full, or forbidden: this tab still has them.
  }
}

export const decisions = () => made;
export const decided = (item) => made.find((one) => one.item === item) ?? null;

// The last word on a photo counts.
export function decide(items, action, label) {
  const again = new Set(items.map(({ item }) => item));
  const fresh = items.map((one) => ({
    item: one.item, action, label: action === "relabel" ? label : null, before: one.label, path: one.path, image: one.image,
  }));
  made = [...made.filter(({ item }) => !again.has(item)), ...fresh];
  keep();
}

// Take one back, or the last; the photo that it was about, null where there was none.
export function undo(item = made.at(-1)?.item) {
  if (!decided(item)) return null;
  made = made.filter((one) => one.item !== item);
  keep();
  return item;
}

// They went with a job: once it has made the revision they are done; where it fails they are still here.
export function markSent(job) {
  made = made.map((one) => ({ ...one, sent: job }));
  keep();
}

export function forgetSent(job) {
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
