// What people say of an answer, where the service keeps predictions.

import { byId, cell, fill, make, percent, words } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { shortTime } from "../frame/times.js";

const NONE = "none of these breeds";
let keeping = { predictions: "no" };

// Offered only where it does something.
export async function showKeeping() {
  keeping = await ask("/predictions/keeping");
  byId("keep").hidden = keeping.predictions !== "photos";
  await showContradicted();
}

export const keptQuery = () => (keeping.predictions === "photos" && byId("keep-photo").checked ? "&keep=photo" : "");

async function showContradicted() {
  const isKept = keeping.predictions !== "no";
  const { items } = isKept ? await ask("/predictions?contradicted=true&limit=20") : { items: [] };
  byId("contradicted").hidden = items.length === 0;
  fill("contradicted-table", items.map((one) => make("tr", {},
    cell(shortTime(one.answered_at)), cell(`${words(one.breed)} (${percent(one.probability)})`),
    cell(words(one.feedback.breed ?? NONE)), cell(one.version, true), cell(one.photo ? "kept" : "not kept"))));
}

// “Right”, or what it is instead; nothing where the answer was not kept.
export function feedbackOn({ id, breed, probabilities }) {
  if (!id) return "";
  const told = make("p", { class: "quiet", role: "status" });
  const choice = make("select", { "aria-label": "It is" }, make("option", { value: "" }, "It is …"),
    ...Object.keys(probabilities).map((name) => make("option", { value: name }, words(name))),
    make("option", { value: NONE }, NONE));
  const say = (name) => send(id, name === NONE ? null : name, told);
  choice.addEventListener("change", () => choice.value && say(choice.value));
  return make("div", { class: "feedback" },
    make("div", { class: "row" }, make("button", { type: "button", on: { click: () => say(breed) } }, "Right"), choice), told);
}

async function send(id, breed, told) {
  try {
    await ask(`/predictions/${id}/feedback`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ breed }),
    });
    told.textContent = `Noted: ${words(breed ?? NONE)}.`;
    told.className = "quiet";
    await showContradicted();
  } catch (error) {
    told.textContent = error.message;
    told.className = "bad";
  }
}
