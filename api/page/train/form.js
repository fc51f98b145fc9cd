// The form's parts as what is planned has them.

import { addressOf } from "../frame/address.js";
import { byId, counted, make, runLink } from "../frame/parts.js";
import { keep, keepRecipe, keepSetting, RATES } from "./choice.js";
import { fieldInput, sayWrong, setInput } from "./fields.js";
import { phasesInput } from "./phases.js";

const FIRST = ["freeze", "freeze_epochs", "epochs", ...RATES, "phases"];
const APART = new Set(["arch", ...FIRST]);
const wrongs = new Map();
let built = null;

export const form = () => byId("train-form");
export const wrongFields = () => [...wrongs.keys()];

const NEEDS_RUN = "Not from here: open a run and choose “Continue from here”.";

export function showDatasets(items, wanted) {
  const select = byId("train-dataset");
  const named = [...items.map(({ name }) => name)];
  const option = ({ name, revision_number: revision, items: count, breeds, drawn }) => make("option", { value: name }, `${name} · revision ${revision} · ${count.toLocaleString()} photos of ${counted(breeds, "breed")}${drawn ? ", drawn sample" : ""}`);
  const missing = wanted && !named.includes(wanted) ? [make("option", { value: wanted }, wanted)] : [];
  select.replaceChildren(...(wanted ? [] : [make("option", { value: "" }, "Choose a dataset")]), ...items.map(option), ...missing);
  select.value = wanted ?? "";
  byId("train-no-datasets").hidden = items.length > 0;
  byId("bring-photos").href = addressOf("data");
}

export function showPresets(presets, wanted, goesOn) {
  const host = byId("train-presets");
  if (!host.children.length) {
    host.replaceChildren(...presets.map(({ name, title, meaning }) => make("label", { class: "card" },
      make("input", { type: "radio", name: "preset", value: name, on: { change: () => keepRecipe(name, FIRST) } }),
      make("strong", {}, title), make("span", { class: "quiet" }, meaning), make("span", { class: "needs", hidden: true }, NEEDS_RUN))));
  }
  for (const input of host.querySelectorAll("input")) {
    const { begins_from_run: needs } = presets.find(({ name }) => name === input.value);
    input.checked = input.value === wanted;
    input.disabled = needs && !goesOn;
    input.closest("label").querySelector(".needs").hidden = !input.disabled;
  }
}

export function showFrom({ run, goesOn }) {
  const place = byId("train-from");
  place.hidden = run === null;
  if (run === null) return;
  const what = goesOn ? "Goes on from the weights of " : "Takes the settings of ";
  const end = goesOn ? `, a ${run.arch}.` : ", which holds no weights to go on from.";
  place.replaceChildren(what, runLink(run.id, `run ${run.id}${run.name ? ` · ${run.name}` : ""}`), `${end} `,
    make("button", { type: "button", class: "plain", on: { click: () => keep({ from: null, recipe: null, set: null, lr: null }) } }, "Begin fresh instead"));
}

export function showFields({ preset, own, usual, values }, groups, changedSoon) {
  if (built !== preset.name) {
    built = preset.name;
    wrongs.clear();
    build(own, groups, changedSoon);
  }
  for (const { name } of own) {
    dropWrong(name);
    setInput(form(), name, values[name], usual[name]);
  }
  form().querySelector(".phases")?.write(values.phases);
  const count = own.filter(({ name }) => !APART.has(name) && JSON.stringify(values[name]) !== JSON.stringify(usual[name])).length;
  byId("train-changed").textContent = count ? `${count} changed` : "as they usually are";
}

// What was typed wrong is written over where nobody types any more.
function dropWrong(name) {
  const part = form().querySelector(`[data-of="${CSS.escape(name)}"]`);
  if (!wrongs.has(name) || part?.contains(document.activeElement)) return;
  wrongs.delete(name);
  sayWrong(form(), name, "");
  if (name === "phases") part.querySelector(".phases").dataset.shown = "";
}

// The form is made anew when it is opened again.
export function leaveForm() {
  wrongs.clear();
  built = null;
}

function build(own, groups, changedSoon) {
  const usualOf = (name) => changedSoon.usual(name);
  const change = (name, value) => { wrong(name, ""); keepSetting(name, value, usualOf(name)); };
  const wrong = (name, sentence) => {
    if (sentence) wrongs.set(name, sentence);
    else wrongs.delete(name);
    sayWrong(form(), name, sentence);
    changedSoon.look();
  };
  const input = (field) => (field.name === "phases" ? phasesInput(field, change, wrong) : fieldInput(field, change, wrong));
  const first = FIRST.map((name) => own.find((field) => field.name === name)).filter(Boolean);
  byId("train-main").replaceChildren(...first.map(input));
  byId("train-groups").replaceChildren(...groups.flatMap((group) => {
    const fields = own.filter((field) => field.group === group && !APART.has(field.name));
    return fields.length ? [make("h3", {}, group), make("div", { class: "fields" }, ...fields.map(input))] : [];
  }));
}

// What the service found wrong before is not known to be so any more; what was typed wrong still is.
export function clearFaults() {
  for (const place of form().querySelectorAll("[data-error]")) {
    if (!wrongs.has(place.dataset.error)) sayWrong(form(), place.dataset.error, "");
  }
}
