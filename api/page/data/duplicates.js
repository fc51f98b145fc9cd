// Near-duplicates side by side: pairs whose names alone say little.

import { at } from "../frame/address.js";
import { fileOf, largerLink } from "../frame/enlarged.js";
import { byId, counted, make, words } from "../frame/parts.js";
import { sentence } from "../frame/service.js";

const FIRST = 4;
const KEY = "pair-";

let paired = [];

// Those of the pairs, both of one after the other, for frame/enlarged.js.
export const pairedPhotos = () => paired;
export const isOfPair = (key) => key?.startsWith(KEY) ?? false;

export function showDuplicates({ name, revision, near_duplicates: pairs, near_duplicates_missing: missing }) {
  const parts = [];
  paired = [];
  if (pairs) {
    const { across_split: across, labels_differ: contrary, anywhere } = pairs;
    const hit = across.count ? `; ${counted(across.valid_items, "validation photo")} whose near-duplicate is trained on` : "";
    const at_ = { name, revision };
    parts.push(
      ...group(at_, "Under different labels", contrary, "", ({ first_label: one, second_label: other }) => [words(one), words(other)]),
      ...group(at_, `Across the split (validation ${pairs.valid_pct * 100} %, seed ${pairs.split_seed})`, across, hit, () => ["trained on", "validates"]),
      ...group(at_, "Anywhere", anywhere, "", () => ["", ""]));
    if (!pairs.complete) parts.push(make("p", {}, "There are too many to count: there are at least so many."));
  }
  for (const reason of [missing, pairs?.near_missing].filter(Boolean)) parts.push(make("p", {}, sentence(reason)));
  byId("near-duplicates").replaceChildren(...parts);
}

function group(dataset, where, { count, byte, near, examples }, more, told) {
  if (count === 0 && near !== null) return [make("p", { class: "quiet" }, `${where}: none`)];
  const kinds = near === null ? `${counted(byte, "same file")}; those that only look alike are not known` : `${counted(byte, "same file")}, ${near} that look alike`;
  const line = make("p", {}, `${where}: ${counted(count, "pair")} (${kinds})${more}`);
  const cards = examples.map((one) => pair(dataset, one, told(one)));
  const list = make("ul", { class: "pairs" }, ...cards.slice(0, FIRST));
  return [line, list, ...rest(list, cards, count)];
}

function rest(list, cards, count) {
  const unnamed = count > cards.length ? [others(count - cards.length)] : [];
  if (cards.length <= FIRST) return unnamed;
  const button = make("button", { type: "button", class: "secondary small" }, `Show ${cards.length - FIRST} more`);
  button.addEventListener("click", () => {
    list.append(...cards.slice(FIRST));
    button.replaceWith(...unnamed);
  });
  return [button];
}

const others = (count) => make("p", { class: "quiet" }, `and ${counted(count, "other pair")}`);

function pair(dataset, one, [first, second]) {
  return make("li", { class: "card" }, make("div", { class: "two" },
    side(dataset, one.first_item, one.first, one.first_label, first, likeness(one)),
    side(dataset, one.second_item, one.second, one.second_label, second, likeness(one))),
  make("p", { class: "quiet" }, likeness(one)));
}

function side({ name, revision }, item, path, label, told, like) {
  const image = `/datasets/${encodeURIComponent(name)}/items/${item}/image?revision=${revision}`;
  const key = `${KEY}${paired.length}`;
  paired.push({ key, name: fileOf(path), image, facts: [["Breed", words(label)], ["File", path], ["Beside the other", like.toLowerCase()], ["Item", String(item)]] });
  return make("figure", {}, largerLink(key, { title: path }, make("img", { src: at(image), alt: path, loading: "lazy" })),
    make("figcaption", {}, make("span", { class: "file" }, fileOf(path)), told ? make("span", { class: "tag" }, told) : ""));
}

// How alike two pictures are that show the same shot.
function likeness({ kind, distance }) {
  if (kind === "byte") return "The same file";
  return distance === 0 ? "They look the same" : "They look nearly the same";
}
