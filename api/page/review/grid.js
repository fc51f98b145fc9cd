// Many photos at once: tick some, and decide about all of them.

import { at } from "../frame/address.js";
import { largerLink } from "../frame/enlarged.js";
import { byId, counted, make, percent, words } from "../frame/parts.js";
import { decided } from "./decisions.js";
import { nameOf, told } from "./stage.js";

const ticked = new Set();
let tickedOf = null;
let shown = [];
let acting = null;

const chosen = () => shown.filter(({ item }) => ticked.has(item));

export function prepareGrid() {
  const button = (text, kind, act) => make("button", { type: "button", class: kind, on: { click: act } }, text);
  const breed = make("input", { class: "breed", type: "text", list: "review-breeds", placeholder: "Breed", "aria-label": "Breed for all that are ticked", autocomplete: "off" });
  byId("grid-actions").append(
    button("Tick all", "secondary", () => tickAll(true)), button("Untick", "secondary", () => tickAll(false)),
    button("Accept suggestions", "", () => each((one) => one.suggested && ["relabel", one.suggested.breed])),
    button("Labels are right", "secondary", () => each((one) => one.label !== null && ["keep", null])),
    button("Drop", "danger", () => each(() => ["drop", null])),
    breed,
    button("Relabel", "secondary", () => {
      const known = [...byId("review-breeds").children].some(({ value }) => value === breed.value.trim());
      breed.setAttribute("aria-invalid", String(!known));
      if (known) each((one) => (one.label === breed.value.trim() ? ["keep", null] : ["relabel", breed.value.trim()]));
    }));
  byId("grid-more").addEventListener("click", () => acting.more());
}

// A number means another photo in another dataset or revision.
export function untickOthers(dataset, revision) {
  const of = `${dataset}/${revision}`;
  if (of !== tickedOf) ticked.clear();
  tickedOf = of;
}

function tickAll(isTicked) {
  for (const one of shown) {
    if (isTicked && !decided(one.item)) ticked.add(one.item);
    else ticked.delete(one.item);
  }
  for (const box of byId("grid-photos").querySelectorAll("input")) box.checked = isTicked && !box.closest("[data-decided]");
  showCount();
}

// What each of them is to become; those without an answer stay ticked.
function each(decide) {
  const groups = new Map();
  for (const one of chosen()) {
    const answer = decide(one);
    if (!answer) continue;
    const key = JSON.stringify(answer);
    groups.set(key, [...(groups.get(key) ?? []), one]);
    ticked.delete(one.item);
  }
  for (const [key, items] of groups) acting.chooseMany(items, ...JSON.parse(key));
  showCount();
}

function showCount() {
  byId("grid-count").textContent = `${counted(chosen().length, "photo")} ticked`;
}

export function showGrid({ items, next }, acts) {
  shown = items;
  acting = acts;
  const focused = document.activeElement?.closest("#grid-photos") ? document.activeElement.dataset.item ?? null : null;
  byId("grid-photos").replaceChildren(...items.map(card));
  byId("grid-more").hidden = next === null;
  showCount();
  if (focused) byId("grid-photos").querySelector(`[data-item="${CSS.escape(focused)}"]`)?.focus();
}

function card(one) {
  const decision = decided(one.item);
  const box = make("input", { type: "checkbox", checked: ticked.has(one.item), "data-item": String(one.item), "aria-label": `Tick ${nameOf(one)}` });
  box.addEventListener("change", () => {
    if (box.checked) ticked.add(one.item);
    else ticked.delete(one.item);
    showCount();
  });
  return make("li", { class: "tick", "data-decided": decision !== null },
    make("label", {}, box, make("img", { src: at(one.image), loading: "lazy", alt: "" })),
    largerLink(one.item, { class: "larger", "aria-label": `Show ${nameOf(one)} larger` }, "⤢"),
    make("span", { class: "was" }, one.label === null ? "no label" : words(one.label)),
    decision ? make("strong", { class: "decision" }, told(decision))
      : one.suggested ? make("span", { class: "quiet" }, `${words(one.suggested.breed)} ${percent(one.suggested.probability)}?`) : "");
}
