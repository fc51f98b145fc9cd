// The breeds of a dataset as bars, and the photos of one.

import { at, here } from "../frame/address.js";
import { fileOf, largerLink } from "../frame/enlarged.js";
import { byId, counted, make, whileBusy, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";

const PAGE = 24;
// So many are looked through for the photo that the address names.
const MOST_SOUGHT = 600;
const NONE = { name: null, breed: null, cursor: null, items: [] };
let shown = NONE;

export function showBreeds({ summary }, breed) {
  const counts = Object.entries(summary.per_breed ?? {}).sort(([one, some], [other, more]) => more - some || one.localeCompare(other));
  const most = Math.max(1, ...counts.map(([, count]) => count));
  byId("balance").textContent = balance(counts);
  byId("dataset-breeds").replaceChildren(...counts.map(([label, count]) => make("li", { class: "bar" },
    make("a", { href: here({ breed: label, photo: null }), "aria-current": label === breed ? "true" : null }, words(label)),
    make("meter", { min: 0, max: most, value: count, "aria-hidden": "true" }), make("span", { class: "number" }, count))));
}

// From the largest breed to the smallest, in a sentence.
function balance(counts) {
  if (counts.length === 0) return "";
  const [[largest, most], [smallest, fewest]] = [counts[0], counts.at(-1)];
  if (most === fewest) return `Every breed has ${counted(most, "photo")}.`;
  const times = most / fewest;
  const told = `${fewest} photos of ${words(smallest)} to ${most} of ${words(largest)}`;
  return times > 1.5 ? `${told}: uneven by a factor of ${times.toFixed(1)}. What is rare is learned worse.` : `${told}: nearly even.`;
}

// The photos of the breed in the address, or none.
export async function showPhotos(name, breed) {
  byId("photos").hidden = !breed;
  for (const link of document.querySelectorAll("#dataset-breeds a")) {
    if (breed && link.getAttribute("href") === here({ breed, photo: null })) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const isSame = shown.name === name && shown.breed === breed;
  if (!breed || isSame) {
    if (!breed) shown = NONE;
    return;
  }
  shown = { name, breed, cursor: null, items: [] };
  byId("photos-title").textContent = words(breed);
  byId("photos-close").href = here({ breed: null, photo: null });
  byId("dataset-photos").replaceChildren();
  byId("more-photos").hidden = true;
  byId("more-photos").onclick = () => tell("view", whileBusy(byId("more-photos"), () => addPhotos(shown)));
  await showFirst(shown);
}

// Photos that could not be read are not there: they are asked for again.
async function showFirst(of) {
  try {
    if (await addPhotos(of)) byId("photos-title").focus();
  } catch (error) {
    if (of === shown) shown = NONE;
    throw error;
  }
}

async function addPhotos(of) {
  const query = new URLSearchParams({ breed: of.breed, limit: PAGE, ...(of.cursor ? { cursor: of.cursor } : {}) });
  const { items, next_cursor: cursor } = await ask(`/datasets/${encodeURIComponent(of.name)}/items?${query}`);
  if (of !== shown) return false;
  of.cursor = cursor;
  of.items.push(...items);
  byId("dataset-photos").append(...items.map(photo));
  byId("more-photos").hidden = !cursor;
  return true;
}

// Of the breed that is shown, for frame/enlarged.js; `key` is sought page by page.
export async function breedPhotos(key) {
  const of = shown;
  const isThere = () => of.items.some(({ item }) => String(item) === key);
  while (key !== null && of.cursor && !isThere() && of.items.length < MOST_SOUGHT && await addPhotos(of));
  return large(of);
}

export const furtherPhotos = () => (shown.cursor ? async () => { await addPhotos(shown); return large(shown); } : null);

const large = ({ items }) => items.map(({ item, path, image, breed, width, height }) => ({
  key: item, name: fileOf(path), image,
  facts: [["Breed", words(breed)], ["File", path], ["Size", `${width} × ${height} pixels`], ["Item", String(item)]],
}));

function photo({ item, path, image, width, height }) {
  const name = fileOf(path);
  return make("li", {}, largerLink(item, { title: `${path}, ${width} × ${height}` },
    make("img", { src: at(image), alt: name, loading: "lazy" })), make("span", { class: "file quiet" }, name));
}
