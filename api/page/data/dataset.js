// One dataset: what is in it, what was left out, its near-duplicates, and two figures of what a training sees.

import { addressOf, placeOf, replace } from "../frame/address.js";
import { confirmed } from "../frame/confirm.js";
import { enlarge } from "../frame/enlarged.js";
import { byId, counted, drawnTag, make, revisionName, words } from "../frame/parts.js";
import { ask, askForPicture, forget, sentence, tell } from "../frame/service.js";
import { scheme } from "../frame/theme.js";
import { breedPhotos, furtherPhotos, showBreeds, showPhotos } from "./breeds.js";
import { isOfPair, pairedPhotos, showDuplicates } from "./duplicates.js";

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
scheme.addEventListener("change", () => { if (pictured) tell("pictures", showPictures(pictured)); });

const PARTS = ["dataset", "dataset-files", "dataset-seen"];

async function chooseDataset(name, query) {
  const breed = query.get("breed");
  if (name !== chosen) seed = 0;
  chosen = name;
  let found;
  try {
    found = await ask(`/datasets/${encodeURIComponent(name)}`);
  } catch (error) {
    // Another dataset was chosen meanwhile: nobody waits for this one.
    if (name !== chosen) return;
    hideAll();
    throw error;
  }
  if (name !== chosen) return;
  for (const id of PARTS) byId(id).hidden = false;
  showFacts(found);
  showActions(found);
  showBreeds(found, breed);
  showLeftOut(found.summary);
  showDuplicates(found);
  byId("other-pictures").onclick = () => {
    seed += 1;
    tell("pictures", showPictures(found));
  };
  await Promise.all([showPictures(found), showNamed(query)]);
}

// The photos of a breed, and the photo that is shown large.
async function showNamed(query) {
  const name = chosen;
  const key = query.get("photo");
  await showPhotos(name, query.get("breed"));
  if (isOfPair(key)) {
    await tell("photo", enlarge(pairedPhotos(), key) ? null : Promise.reject(new Error("There is no such pair of photos.")));
    return;
  }
  const photos = await breedPhotos(key);
  if (name !== chosen || key !== placeOf().query.get("photo")) return;
  await tell("photo", enlarge(photos, key, furtherPhotos()) ? null : Promise.reject(new Error("That photo is not among those of this breed.")));
}

function hideAll() {
  for (const id of [...PARTS, "photos"]) byId(id).hidden = true;
}

function leaveDataset() {
  chosen = pictured = null;
  forget("photo");
  hideAll();
}

function showActions({ name, runs }) {
  byId("train-on").href = addressOf("train", { dataset: name });
  byId("review-labels").href = addressOf(`data/${name}/review`);
  byId("delete-trouble").textContent = "";
  byId("delete-dataset").onclick = () => deleteDataset(name, runs);
}

async function deleteDataset(name, runs) {
  if (runs) {
    const says = [`${counted(runs, "run")} ${runs === 1 ? "hangs" : "hang"} on it, and must be deleted first.`];
    await confirmed({ title: `Dataset ${name} cannot be deleted yet`, says });
    return;
  }
  const says = ["All its revisions and photos are deleted for good."];
  if (!await confirmed({ title: `Delete dataset ${name}?`, says, act: "Delete", isDangerous: true })) return;
  try {
    await ask(`/datasets/${encodeURIComponent(name)}`, { method: "DELETE" });
    replace(addressOf("data"));
  } catch (error) {
    byId("delete-trouble").textContent = error.message;
  }
}

function showFacts(found) {
  const { name, drawn, items, vocab, label_rule: rule, summary } = found;
  byId("dataset-title").replaceChildren(`Dataset ${name} `, drawnTag(drawn));
  const { width, height } = summary.sizes ?? {};
  const label = labelSource(rule);
  byId("dataset-facts").textContent = [
    madeFrom(found),
    `${counted(items, "photo")} of ${counted(vocab.length, "breed")}`,
    width ? `${spread(width)} wide, ${spread(height)} high` : null,
    Object.entries(summary.formats ?? {}).map(([format, count]) => `${count} ${format}`).join(", "),
    label,
    summary.split ? `the split is given: ${Object.entries(summary.split).map(([side, count]) => `${count} ${side}`).join(", ")}` : null,
    ...(summary.notes ?? []),
  ].filter(Boolean).join("; ");
}

// Of a review: the revision before, and what was decided about it.
function madeFrom(found) {
  const name = sentence(revisionName(found)).slice(0, -1);
  if (!found.made_from) return name;
  const { relabelled, dropped, added } = found.made_from;
  const changes = [[relabelled, "relabelled"], [dropped, "dropped"], [added, "added"]].filter(([count]) => count);
  return `${name}, made of revision ${found.revision_number - 1}: ${changes.map(([count, what]) => `${count} ${what}`).join(", ")}`;
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
  byId("left-out").replaceChildren(...(groups.length ? groups : [make("li", {}, "Nothing was found.")]));
}

function group(title, lines, count) {
  const more = count - Math.min(lines.length, EXAMPLES);
  return make("li", {}, title, make("ul", {}, ...lines.slice(0, EXAMPLES).map((line) => make("li", {}, line)),
    more > 0 ? make("li", { class: "quiet" }, `and ${more} more`) : ""));
}

function showPictures({ name, items }) {
  pictured = { name, items };
  const base = `/datasets/${encodeURIComponent(name)}`;
  const drawing = `seed=${seed}&scheme=${scheme.matches ? "dark" : "light"}`;
  const batch = place("batch", `${base}/batch.png?augment=both&${drawing}`, "A labelled batch, as the images are and augmented");
  const presizing = place("presizing", `${base}/presizing.png?item=${(seed * STRIDE) % items}&${drawing}`,
    "The same changes of an image, made by one interpolation and step by step");
  return Promise.all([batch, presizing]);
}

// The picture, or the reason for which there is none, in its place. A service that is away is no such reason.
async function place(id, path, alt) {
  const host = byId(id);
  host.dataset.path = path;
  host.setAttribute("aria-busy", "true");
  if (!host.childElementCount) host.replaceChildren(make("p", { class: "quiet" }, "Drawing…"));
  let shown;
  let missing = null;
  try {
    const address = URL.createObjectURL(await askForPicture(path));
    shown = make("img", { src: address, alt, on: { load: () => URL.revokeObjectURL(address) } });
  } catch (error) {
    missing = error;
    shown = make("p", { class: "bad", role: "alert" }, error.message);
  }
  if (host.dataset.path !== path) return;
  host.removeAttribute("aria-busy");
  host.replaceChildren(shown);
  if (missing?.isAway) throw missing;
}

export const dataset = {
  title: ({ dataset: name }) => `Dataset ${name}`,
  open: ({ dataset: name }, query) => chooseDataset(name, query),
  turn: showNamed,
  close: leaveDataset,
};
