// What people say of an answer, where the service keeps predictions.

import { byId, cell, fill, make, percent, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { shortTime } from "../frame/times.js";

const NONE = "none of these breeds";
let keeping = { predictions: "no" };
let lists = 0;

// Offered only where it does something.
export async function showKeeping() {
  keeping = await ask("/predictions/keeping");
  byId("not-kept").hidden = keeping.predictions !== "no";
  byId("keep").hidden = keeping.predictions !== "photos";
  await showContradicted();
}

export const keptQuery = () => (keeping.predictions === "photos" && byId("keep-photo").checked ? "photo" : null);

async function showContradicted() {
  const isKept = keeping.predictions !== "no";
  const { items } = isKept ? await ask("/predictions?contradicted=true&limit=20") : { items: [] };
  byId("contradicted").hidden = items.length === 0;
  fill("contradicted-table", items.map((one) => make("tr", {},
    cell(shortTime(one.answered_at)), cell(`${words(one.breed)} (${percent(one.probability)})`),
    cell(words(one.feedback.breed ?? NONE)), cell(one.version, true), cell(one.photo ? "kept" : "not kept"))));
}

// Whether it is right, and what it is instead; nothing where the answer was not kept. `noted` is what was said before,
// `note` is called with what is said now.
export function feedbackOn({ id, breed, probabilities }, noted, note) {
  if (!id) return "";
  const told = make("p", { class: "quiet", role: "status" }, noted ?? "");
  const say = (name) => send(id, name, told, note);
  const form = correction(Object.keys(probabilities), say);
  const wrong = make("button", { type: "button", class: "secondary", "aria-expanded": "false" }, "No, it is …");
  wrong.addEventListener("click", () => {
    form.hidden = !form.hidden;
    wrong.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.querySelector("input").focus();
  });
  const right = make("button", { type: "button", class: "secondary", on: { click: () => say(breed) } }, "Yes");
  return make("div", { class: "feedback" },
    make("div", { class: "toolbar" }, make("span", {}, "Is that right?"), right, wrong), form, told);
}

// A breed of the model, found by a few of its letters; another one is taken too, since people teach by it.
function correction(vocab, say) {
  const list = make("datalist", { id: `breeds-${++lists}` }, ...vocab.map((name) => make("option", { value: words(name) })));
  const input = make("input", { type: "text", list: list.id, "aria-label": "It is", placeholder: "Type or choose a breed", required: true, maxlength: 200, autocomplete: "off" });
  const form = make("form", { class: "toolbar", hidden: true }, input, list, make("button", { type: "submit" }, "Send"),
    make("button", { type: "button", class: "secondary", on: { click: () => say(null) } }, "None of these breeds"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = input.value.trim();
    const same = vocab.find((name) => words(name).toLowerCase() === words(typed).toLowerCase());
    if (typed) say(same ?? typed);
  });
  return form;
}

async function send(id, breed, told, note) {
  try {
    const { feedback } = await ask(`/predictions/${id}/feedback`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ breed }),
    });
    const isNew = feedback.of_vocabulary === false;
    told.textContent = `Noted: ${words(breed ?? NONE)}.${isNew ? " This model does not know that breed." : ""}`;
    told.className = "quiet";
    note(told.textContent);
  } catch (error) {
    told.textContent = error.message;
    told.className = "bad";
    return;
  }
  await tell("contradicted", showContradicted());
}
