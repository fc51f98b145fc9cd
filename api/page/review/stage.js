// One photo, large, with what it is said to be and what it may be.

import { at } from "../frame/address.js";
import { fileOf, largerLink } from "../frame/enlarged.js";
import { byId, make, percent, words } from "../frame/parts.js";
import { decided } from "./decisions.js";

export const nameOf = ({ path, item }) => fileOf(path, `photo ${String(item).slice(0, 8)}`);
const DONE = { keep: "The label is right", drop: "Dropped" };
export const told = ({ action, label }) => DONE[action] ?? `Now ${words(label)}`;

const TYPED = ".search input";
const REVIEW = { drop: "Drop it", dropKind: "danger", done: "You have decided about every photo of this list.", list: "review-breeds", why: "" };

// `how`: the words of the view, the list of breeds, and why the photo is in the list.
export function showStage(host, { items, waiting, next }, place, isDone, acts, how = REVIEW) {
  const one = items[place];
  const focused = document.activeElement?.dataset?.act;
  const typed = host.dataset.item === String(one.item) ? host.querySelector(TYPED)?.value : "";
  host.dataset.item = one.item;
  const whole = waiting ?? `${items.length}${next ? "+" : ""}`;
  host.replaceChildren(
    make("div", { class: "photo" },
      one.image === null ? make("p", { class: "gone quiet" }, "The photo is not kept any more.")
        : largerLink(one.item, { "data-act": "larger" }, make("img", { src: at(one.image), alt: `The photo ${nameOf(one)}` })),
      make("p", { class: "quiet file" }, `${place + 1} of ${whole} · ${one.path ?? "sent to be predicted"}`, one.trained_on ? make("span", { class: "tag", title: "The model learned from this photo under its label: it doubts it less than it should" }, "trained on") : "")),
    make("div", { class: "verdict" }, ...verdict(one, acts, how), ...(isDone && !next ? [make("p", { class: "done" }, how.done)] : [])));
  // The same photo may be drawn again while somebody types.
  if (typed) host.querySelector(TYPED).value = typed;
  // What a button does changes the photo, not where the keyboard is.
  if (focused) host.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
  for (const { image } of items.slice(place + 1, place + 3)) if (image !== null) new Image().src = at(image);
}

// For frame/enlarged.js.
export const largePhoto = (one) => ({
  key: one.item, name: nameOf(one), image: one.image,
  facts: [
    ["Label", one.label === null ? "none" : words(one.label)],
    ...(one.suggested ? [["May be", `${words(one.suggested.breed)}, ${percent(one.suggested.probability)}`]] : []),
    ...(decided(one.item) ? [["Decided", told(decided(one.item))]] : []),
    ["File", one.path ?? "sent to be predicted"],
  ],
});

function verdict(one, acts, how) {
  const decision = decided(one.item);
  return [
    how.why ? make("p", { class: "why" }, how.why) : "",
    one.label === null && how.why ? "" : make("p", { class: "label" }, make("span", { class: "quiet" }, "Label"), make("strong", {}, one.label === null ? "none" : words(one.label)),
      make("span", { class: "quiet" }, one.label_probability === null ? "" : percent(one.label_probability))),
    one.suggested ? make("p", { class: "label suggested" }, make("span", { class: "quiet" }, "May be"), make("strong", {}, words(one.suggested.breed)),
      make("span", { class: "quiet" }, percent(one.suggested.probability))) : "",
    decision ? make("p", { class: "decision", role: "status" }, `${told(decision)}.`, " ", make("button", { type: "button", class: "plain", on: { click: () => acts.takeBack(one.item) } }, "Undo")) : "",
    make("div", { class: "choices" }, ...choices(one, acts, how)),
    make("h3", {}, "Top guesses"),
    make("ol", { class: "guesses" }, ...one.guesses.map((guess, place) => guessRow(guess, place, one, acts))),
    search(acts, how.list),
    make("div", { class: "toolbar walk" },
      act("previous", "←", "secondary", () => acts.step(-1), "Previous photo"), act("next", "→", "secondary", () => acts.step(1), "Next photo"),
      make("span", { class: "quiet keys" }, "Arrow keys move")),
  ];
}

const key = (text) => make("kbd", {}, text);

function act(name, text, kind, click, label = null, ...more) {
  return make("button", { type: "button", class: kind, "data-act": name, "aria-label": label, on: { click } }, text, ...more);
}

function choices(one, acts, how) {
  const { label, suggested } = one;
  return [
    suggested ? act("accept", `It is ${words(suggested.breed)} `, "", () => acts.choose("relabel", suggested.breed), null, key("R")) : "",
    label === null ? "" : act("keep", `${words(label)} is right `, "secondary", () => acts.choose("keep"), null, key("K")),
    act("drop", `${how.drop} `, how.dropKind, () => acts.choose("drop"), null, key("D")),
  ];
}

function guessRow({ breed, probability }, place, one, acts) {
  const isLabel = breed === one.label;
  return make("li", {}, make("button", {
    type: "button", class: "secondary guess", "data-act": `guess-${place}`, on: { click: () => acts.choose("relabel", breed) },
  }, key(String(place + 1)), make("span", { class: "breed" }, words(breed), isLabel ? make("span", { class: "tag" }, "label") : ""),
  make("meter", { min: 0, max: 1, value: probability, "aria-hidden": "true" }), make("span", {}, percent(probability))));
}

function search(acts, list) {
  const input = make("input", { type: "text", list, placeholder: "Another breed", "data-act": "breed", "aria-label": "Another breed", autocomplete: "off" });
  const note = make("p", { class: "quiet note", role: "status" });
  const take = () => {
    const wanted = input.value.trim();
    const found = [...byId(list).children].find(({ value }) => value === wanted || words(value).toLowerCase() === words(wanted).toLowerCase());
    // A new breed is taken the second time, so that a slip of the finger is none.
    const isNew = Boolean(acts.takesNew && wanted && note.dataset.wanted === wanted);
    input.setAttribute("aria-invalid", String(!found && !isNew));
    note.textContent = found || isNew || !acts.takesNew || !wanted ? "" : `No breed is called ${wanted} here. Choose it again to take it as a new one.`;
    note.dataset.wanted = wanted;
    if (!found && !isNew) return;
    input.blur();
    input.value = "";
    acts.choose("relabel", found?.value ?? wanted);
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take();
    else if (event.key === "Escape") input.blur();
  });
  return make("div", { class: "toolbar search" }, input, act("search", "Choose", "secondary", take), key("/"), note);
}
