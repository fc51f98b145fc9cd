// The architectures with what each costs: those whose weights are here, and all on request.

import { byId, make } from "../frame/parts.js";
import { gib } from "../jobs/workers.js";

const MILLION = 1e6;
const USUAL = "resnet34";

// `wanted` is chosen; `choose` takes another. Without pretrained weights all are as near.
export function showArchs(items, wanted, locked, choose) {
  const isAll = byId("archs-all").checked;
  const near = items.filter((one) => (locked ? one.name === wanted : isAll || one.weights.in_reach || one.name === wanted || one.name === USUAL));
  const host = byId("train-archs");
  const signature = JSON.stringify([near.map(({ name }) => name), locked]);
  if (host.dataset.shown !== signature) {
    host.dataset.shown = signature;
    host.replaceChildren(...near.map((one) => row(one, locked, choose)));
  }
  for (const input of host.querySelectorAll("input")) {
    input.checked = input.value === wanted;
    input.disabled = locked && input.value !== wanted;
  }
}

function row({ name, parameters, relative_cost: cost, measured, memory_bytes: memory, weights, family }, locked, choose) {
  const input = make("input", { type: "radio", name: "arch", value: name, "data-field": "arch", on: { change: () => choose(name) } });
  const pace = measured ? `${Math.round(measured.images_per_second)} images/s on ${measured.device}` : name === USUAL ? "the usual one" : `${times(cost)} the work of ${USUAL}`;
  const away = weights.in_reach || locked ? "" : make("span", { class: "away" }, ...awayNote(weights));
  return make("label", { "data-arch": name, title: family }, input, make("strong", {}, name),
    make("span", {}, `${(parameters / MILLION).toFixed(1)} M parameters`), make("span", {}, pace),
    make("span", {}, `≈ ${gib(measured?.peak_memory_bytes ?? memory)}`), away);
}

// That a network's weights are not here, and how they come.
export const awayNote = ({ hint }) => ["Weights not here. ", make("span", { class: "how" }, ...coded(hint))];

// What stands between backticks is to be typed.
const coded = (text) => text.split("`").map((part, number) => (number % 2 ? make("code", {}, part) : part));

const times = (cost) => `${cost < 10 ? cost.toFixed(1) : Math.round(cost)} ×`;
