// How a run was asked to train: the settings that everybody asks about, the phases, what was changed, and all the rest.

import { cell, make, rate } from "../frame/parts.js";
import { writeNew } from "../frame/written.js";

const FIRST = ["arch", "pretrained", "size", "presize", "batch_size", "loss", "valid_pct", "precision"];
const PHASE = ["Phase", "Body", "Epochs", "Peak rates"];
// What the table of phases shows.
const TABLED = new Set(["freeze", "epochs", "lr_max", "auto"]);

export function showSettings(run) {
  writeNew("settings", [run.id, run.config, run.changed], (place) => place.replaceChildren(...tablesOf(run)));
}

function tablesOf(run) {
  const all = Object.fromEntries([...flat(run.config), ...restOfPhases(run.config.phases ?? [])]);
  const changed = Object.keys(run.changed).filter((name) => name !== "phases");
  const rest = Object.keys(all).filter((name) => !FIRST.includes(name) && !changed.includes(name));
  const first = [...FIRST.filter((name) => name in all), ...changed.filter((name) => !FIRST.includes(name))];
  const row = (name) => make("tr", {}, make("th", { scope: "row" }, name), cell(told(all[name])),
    cell(name in run.changed ? make("span", { class: "tag" }, `default ${told(run.changed[name])}`) : ""));
  const table = (names) => make("div", { class: "scroll" }, make("table", { class: "settings" }, make("tbody", {}, ...names.map(row))));
  return [phases(run), table(first), make("details", {}, make("summary", {}, `The other ${rest.length} settings`), table(rest))];
}

// Nested settings by their dotted names, as `--set` and the JSON have them; phases have a table of their own, added breeds are in the story.
function flat(config, above = "") {
  return Object.entries(config).flatMap(([name, value]) => {
    if (!above && (name === "phases" || name === "added")) return [];
    return value !== null && typeof value === "object" && !Array.isArray(value) ? flat(value, `${above}${name}.`) : [[`${above}${name}`, value]];
  });
}

function restOfPhases(phases) {
  return phases.flatMap((phase, number) => Object.entries(phase).filter(([name]) => !TABLED.has(name))
    .map(([name, value]) => [`phase ${number + 1}: ${name}`, value]));
}

// As it is typed: for `--set`, in the form, in the JSON.
const told = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function phases({ config }) {
  if (config.added?.length) return make("p", {}, "Breeds were added. All that was learned before stays as it was.");
  if (!config.phases?.length) return make("p", {}, `The body is ${config.freeze ? "frozen" : "unfrozen"}.`);
  const rows = config.phases.map((phase, number) => make("tr", {}, cell(number + 1), cell(phase.freeze ? "frozen" : "unfrozen"),
    cell(phase.epochs, true), cell(rates(phase))));
  const head = PHASE.map((name) => make("th", { scope: "col", class: name === "Epochs" ? "number" : null }, name));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
}

// One rate where all groups of layers have the same, else the early, the later layers' and the head's.
function rates({ lr_max: groups, auto }) {
  const shown = new Set(groups).size === 1 ? [groups[0]] : groups;
  if (auto) return `found by a search × ${shown.map((one) => Number(one.toPrecision(3))).join(", ")}`;
  return shown.map(rate).join(", ");
}
