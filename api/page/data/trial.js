// A label rule tried on names: what each choice asks for, and what it makes of them.

import { counted, make, words } from "../frame/parts.js";
import { ask, sentence } from "../frame/service.js";

// As many as a request may have.
const MOST_NAMES = 1000;

export const RULES = {
  name: { says: "The file’s name: Birman_12.jpg is a Birman", fields: () => ({}) },
  folder: { says: "The folder that the photo lies in", fields: () => ({ label_from: "folder" }) },
  level: { says: "A folder further up", extra: "level", fields: ({ level }) => ({ label_from: `folder:${level}` }) },
  pattern: { says: "A pattern on the file’s name", extra: "regex", fields: ({ regex }) => (regex ? { regex } : {}) },
  path: { says: "A pattern on the whole path", extra: "regex", fields: ({ regex }) => ({ label_from: "path", ...(regex ? { regex } : {}) }) },
  csv: { says: "A table in it: filename,label in each line", fields: () => ({ label_from: "csv" }) },
};

export const PATTERNS = {
  "Oxford-IIIT Pet": "^(.+)_\\d+\\.jpg$",
  "Up to the first _ or -": "^([^_-]+)[_-]",
  "Between two _": "^[^_]+_([^_]+)_",
};

const json = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// Evenly over all, so that each breed has its part.
function sample(names) {
  if (names.length <= MOST_NAMES) return names;
  return Array.from({ length: MOST_NAMES }, (_, number) => names[Math.floor((number * names.length) / MOST_NAMES)]);
}

// On all names of an upload that has come whole; before, on some of the chosen folder's.
export async function tried({ id, names }, fields) {
  if (id) return { ...await ask(`/uploads/${id}/try-labels`, json(fields)), of: null };
  const some = sample(names);
  const found = await ask("/label-rules/try", json({ ...fields, names: some }));
  return { ...found, of: some.length < names.length ? names.length : null };
}

// What the rule makes of the names, as parts of the page.
export function outcome(found) {
  const { photos, labelled, labels, of, complete, notes, others } = found;
  const share = of ? ` (tried on ${photos} of ${of})` : complete ? "" : " (as many as could be read in a few seconds)";
  const line = labelled === 0 ? `None of ${counted(photos, "photo")} gets a label${share}.`
    : `${labelled === photos ? "All" : `${labelled} of`} ${counted(photos, "photo")} get a label: ${counted(labels, "breed")}${share}.`;
  const summary = make("p", { class: labelled === 0 || labels < 2 ? "verdict bad" : "verdict" }, line);
  const hints = [...notes, ...(labels === 1 ? ["One breed alone cannot be learned: choose another rule."] : []),
    ...(others ? [`${counted(others, "other file")} ${others === 1 ? "is" : "are"} left out.`] : [])];
  return [summary, hints.length ? make("ul", { class: "quiet" }, ...hints.map((hint) => make("li", {}, sentence(hint)))) : "",
    labelled || found.unlabelled ? make("div", { class: "columns" }, breeds(found), names(found)) : ""];
}

function breeds({ counts, labels }) {
  const most = counts[0]?.count ?? 1;
  return make("div", {}, make("h3", {}, "Breeds"), make("div", { class: "scroll tall", "aria-label": "Photos of each breed" },
    ...counts.map(({ label, count }) => make("div", { class: "bar" }, make("span", {}, words(label)),
      make("meter", { min: 0, max: most, value: count, "aria-hidden": "true" }), make("span", { class: "number" }, count)))),
  labels > counts.length ? make("p", { class: "quiet" }, `and ${labels - counts.length} more`) : "");
}

function names({ examples, without_label: bare, unlabelled }) {
  const rows = examples.map(({ name, label, split }) => make("tr", {}, make("td", { class: "name" }, name),
    make("td", {}, words(label)), make("td", { class: "quiet" }, split ?? "")));
  const lines = bare.map(({ name, why }) => make("li", {}, make("span", {}, name), make("span", { class: "quiet" }, ` ${why}`)));
  return make("div", {}, ...(rows.length ? [make("h3", {}, "Examples"), make("div", { class: "scroll tall", "aria-label": "Examples" },
    make("table", {}, make("tbody", {}, ...rows)))] : []),
  ...(unlabelled ? [make("h3", { class: "bad" }, `Without a label: ${unlabelled}`), make("div", { class: "scroll tall", "aria-label": "Without a label" }, make("ul", {}, ...lines))] : []));
}
