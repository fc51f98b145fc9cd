// One dataset: what is in it, what was left out, its near-duplicates, and two figures of what a training sees.

import { byId, cell, counted, drawnTag, fill, make, words } from "../frame/parts.js";
import { ask, askForPicture, sentence } from "../frame/service.js";
import { scheme } from "../frame/theme.js";

const LEFT_OUT = {
  no_label: "no label matches",
  not_a_file: "no plain file",
  not_an_image: "no image",
  truncated: "broken",
  too_many_pixels: "too many pixels",
  too_small: "too small",
  too_many_bytes: "too many bytes",
  unsupported_pixels: "pixels of another kind",
  picture_too_costly: "too much to decode",
};
const EXAMPLES = 5;
// Neighbours are of one breed: the next item to show is some way on.
const STRIDE = 101;

let chosen = null;
let seed = 0;
let pictured = null;

// In the colours of now.
scheme.addEventListener("change", () => { if (pictured) showPictures(pictured); });

async function chooseDataset(name) {
  chosen = name;
  seed = 0;
  let found;
  try {
    found = await ask(`/datasets/${encodeURIComponent(name)}`);
  } catch (error) {
    // Another dataset was chosen meanwhile: nobody waits for this one.
    if (name !== chosen) return;
    byId("dataset").hidden = true;
    throw error;
  }
  if (name !== chosen) return;
  showFacts(found);
  showLeftOut(found.summary);
  showDuplicates(found);
  byId("other-pictures").onclick = () => { seed += 1; showPictures(found); };
  showPictures(found);
}

function leaveDataset() {
  chosen = pictured = null;
  byId("dataset").hidden = true;
}

function showFacts({ name, drawn, items, vocab, label_rule: rule, summary }) {
  byId("dataset").hidden = false;
  byId("dataset-title").replaceChildren(`Dataset ${name} `, drawnTag(drawn));
  const { width, height } = summary.sizes ?? {};
  const label = labelSource(rule);
  byId("dataset-facts").textContent = [
    `${counted(items, "item")} of ${counted(vocab.length, "breed")}`,
    width ? `${spread(width)} wide, ${spread(height)} high` : null,
    Object.entries(summary.formats ?? {}).map(([format, count]) => `${count} ${format}`).join(", "),
    label,
    summary.split ? `the split is given: ${Object.entries(summary.split).map(([side, count]) => `${count} ${side}`).join(", ")}` : null,
    ...(summary.notes ?? []),
  ].filter(Boolean).join("; ");
  const counts = Object.entries(summary.per_breed ?? {}).sort(([one], [other]) => one.localeCompare(other));
  const most = Math.max(1, ...counts.map(([, count]) => count));
  fill("breeds", counts.map(([breed, count]) => make("tr", {}, cell(words(breed)), cell(count, true),
    cell(make("meter", { min: 0, max: most, value: count, "aria-hidden": "true" })))));
}

function labelSource({ kind, level, over, regex }) {
  if (kind === "csv") return "labels are read from a list";
  if (kind === "folder") return level ? `each label is the name of folder ${level} of the path` : "each label is the folder’s name";
  return `labels are read from the files’ ${over === "path" ? "paths" : "names"} by the pattern ${regex}`;
}

const spread = ({ min, max, median }) => `${min} to ${max} pixels (median ${median})`;

function showLeftOut({ exclusions = {}, disguised = {} }) {
  const groups = Object.entries(exclusions).map(([code, { count, examples }]) =>
    group(`${counted(count, "file")}: ${LEFT_OUT[code] ?? words(code)}`, examples.map(({ path, detail }) => `${path}: ${detail}`), count));
  if (disguised.count) {
    const lines = disguised.examples.map(({ path, format }) => `${path} is a ${format}`);
    groups.push(group(`Taken, but not what the name says: ${counted(disguised.count, "file")}`, lines, disguised.count));
  }
  byId("left-out").replaceChildren(...(groups.length ? groups : [make("li", {}, "No file.")]));
}

function group(title, lines, count) {
  const more = count - Math.min(lines.length, EXAMPLES);
  return make("li", {}, title, make("ul", {}, ...lines.slice(0, EXAMPLES).map((line) => make("li", {}, line)),
    more > 0 ? make("li", { class: "quiet" }, `and ${more} more`) : ""));
}

function showDuplicates({ near_duplicates: pairs, near_duplicates_missing: missing }) {
  const lines = [];
  if (pairs) {
    const { across_split: across, labels_differ: contrary, anywhere } = pairs;
    const hit = across.count ? `; ${counted(across.valid_items, "validation item")} whose near-duplicate is trained on` : "";
    lines.push(
      pairGroup(`Across the split (validation ${pairs.valid_pct * 100} %, seed ${pairs.split_seed})`, across, hit,
        (one) => `${one.first} is trained on, ${one.second} validates`),
      pairGroup("Under different labels", contrary, "",
        (one) => `${one.first} (${words(one.first_label)}) and ${one.second} (${words(one.second_label)})`),
      pairGroup("Anywhere", anywhere, "", (one) => `${one.first} and ${one.second}`));
    if (!pairs.complete) lines.push(make("li", {}, "There are too many to count: there are at least so many."));
  }
  for (const reason of [missing, pairs?.near_missing].filter(Boolean)) lines.push(make("li", {}, sentence(reason)));
  byId("near-duplicates").replaceChildren(...lines);
}

function pairGroup(where, { count, byte, near, examples }, more, told) {
  if (count === 0 && near !== null) return make("li", {}, `${where}: none`);
  const kinds = near === null ? `${counted(byte, "same file")}; those that only look alike are not known` : `${counted(byte, "same file")}, ${near} that look alike`;
  const lines = examples.map((one) => `${told(one)}: ${likeness(one)}`);
  return group(`${where}: ${counted(count, "pair")} (${kinds})${more}`, lines, count);
}

// How alike two pictures are that show the same shot.
function likeness({ kind, distance }) {
  if (kind === "byte") return "the same file";
  return distance === 0 ? "they look the same" : "they look nearly the same";
}

function showPictures({ name, items }) {
  pictured = { name, items };
  const base = `/datasets/${encodeURIComponent(name)}`;
  const drawing = `seed=${seed}&scheme=${scheme.matches ? "dark" : "light"}`;
  place("batch", `${base}/batch.png?augment=both&${drawing}`, "A labelled batch, as the images are and augmented");
  place("presizing", `${base}/presizing.png?item=${(seed * STRIDE) % items}&${drawing}`,
    "The same changes of an image, made by one interpolation and step by step");
}

// The picture, or the reason for which there is none, in its place.
async function place(id, path, alt) {
  const host = byId(id);
  host.dataset.path = path;
  host.setAttribute("aria-busy", "true");
  if (!host.childElementCount) host.replaceChildren(make("p", { class: "quiet" }, "Drawing…"));
  let shown;
  try {
    const address = URL.createObjectURL(await askForPicture(path));
    shown = make("img", { src: address, alt, on: { load: () => URL.revokeObjectURL(address) } });
  } catch (error) {
    shown = make("p", { class: "bad", role: "alert" }, error.message);
  }
  if (host.dataset.path !== path) return;
  host.removeAttribute("aria-busy");
  host.replaceChildren(shown);
}

export const dataset = {
  title: ({ dataset: name }) => `Dataset ${name}`,
  open: ({ dataset: name }) => chooseDataset(name),
  turn() {},
  close: leaveDataset,
};
