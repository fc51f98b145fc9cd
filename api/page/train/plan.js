// From what is chosen to the request: what a field is at by itself, what is sent, and what a parent hands down.

import { ask } from "../frame/service.js";
import { choice, flat, nested, RATES } from "./choice.js";

const MODEL = "model.safetensors";
let known = null;
const runs = new Map();

export async function about() {
  known ??= { config: await ask("/config") };
  return known.config;
}

async function runOf(id) {
  if (!runs.has(id)) runs.set(id, await ask(`/runs/${id}`));
  return runs.get(id);
}

const holdsModel = ({ kind, state, artifacts }) => kind === "train" && (state === "succeeded" || (state === "failed" && artifacts.some(({ name }) => name === MODEL)));

const rateOf = ({ lr_max: [first, , last], auto }) => (auto ? "auto" : first === last ? last : [first, last]);

// What a run was asked for: the recipe's own fields, out of the phases that it records.
export function settingsOf({ config: { recipe, phases, freeze } }) {
  if (!phases?.length) return { freeze }; // a search, or breeds that were added
  if (recipe === "one_cycle") return { recipe, freeze: phases[0].freeze, epochs: phases[0].epochs, lr_max: rateOf(phases[0]) };
  if (recipe === "phases") return { recipe, phases: phases.map((one) => ({ freeze: one.freeze, epochs: one.epochs, lr_max: rateOf(one) })) };
  if (recipe === "probe") return { recipe, epochs: phases[0].epochs, lr_max: rateOf(phases[0]) };
  const whole = phases.at(-1);
  const rate = whole.auto ? "auto" : Number((2 * whole.lr_max[2]).toPrecision(12));
  return { recipe, freeze_epochs: phases.length > 1 ? phases[0].epochs : 0, epochs: whole.epochs, base_lr: rate,
    lr_mult: Number((whole.lr_max[2] / whole.lr_max[0]).toPrecision(6)) };
}

const PRESET_OF = { fine_tune: "fine_tune", probe: "probe", one_cycle: "head_only", phases: "head_then_all" };

// All that the form needs: the preset, its fields, what each is at by itself, and what is sent in any case.
export async function plan() {
  const [{ presets, fields }, chosen] = [await about(), choice()];
  const run = chosen.from === null ? null : await runOf(chosen.from);
  const goesOn = run !== null && holdsModel(run);
  const again = run !== null && !goesOn ? settingsOf(run) : null;
  const name = chosen.preset ?? (again?.recipe ? PRESET_OF[again.recipe] : again && run.kind === "lr_find" ? "find_rate" : goesOn ? "unfreeze" : "fine_tune");
  const preset = presets.find((one) => one.name === name) ?? presets[0];
  const recipe = preset.config.recipe ?? null;
  const own = fields.filter((one) => one.kinds.includes(preset.kind) && (one.recipe === null || one.recipe === recipe) && !one.name.includes("[]") && one.name !== "recipe");
  const defaults = Object.fromEntries(own.map((one) => [one.name, one.default]));
  const handed = run ? Object.fromEntries(flat(run.config).filter(([key]) => own.some((one) => one.name === key && one.recipe === null))) : {};
  delete handed.phases;
  // As the service does it: the same draws are not seen again.
  if (goesOn) handed.seed = run.config.seed + 1;
  const first = again && (again.recipe ?? null) === recipe ? again : preset.config;
  const usual = { ...defaults, ...handed, ...Object.fromEntries(flat(first)) };
  // A run that is gone on from hands its settings down by itself; one whose settings alone are taken does not.
  const sent = goesOn ? first : { ...nested(Object.entries(handed).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key]))), ...first };
  if (goesOn) usual.arch = run.config.arch;
  return { preset, own, usual, sent: flat(sent).filter(([key]) => !goesOn || key !== "arch"), run, goesOn, values: valuesOf(own, usual, chosen), chosen };
}

function valuesOf(own, usual, { set, lr }) {
  const rate = RATES.find((name) => own.some((one) => one.name === name));
  const changes = [...set].filter(([name]) => own.some((one) => one.name === name));
  return { ...usual, ...(lr !== null && rate ? { [rate]: lr } : {}), ...Object.fromEntries(changes) };
}

// The request as `POST /jobs` takes it. `values` holds what is at its usual too: only what differs is sent.
export function request({ preset, usual, sent, run, goesOn, values, chosen }, dataset) {
  const changed = Object.entries(values).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(usual[name]));
  const config = nested([...sent, ...changed]);
  return { kind: preset.kind, dataset: dataset || null, from_run: goesOn ? run.id : null, name: chosen.name || null, config };
}

// A search on the same photos, network and weights, with the body as the first phase has it.
export function searchRequest(planned, fields, dataset) {
  const shared = new Set(fields.filter((one) => one.kinds.includes("lr_find")).map((one) => one.name));
  const whole = request(planned, dataset);
  const config = nested(flat(whole.config).filter(([name]) => shared.has(name)));
  const { values, preset } = planned;
  const freeze = values.freeze ?? values.phases?.[0]?.freeze ?? (preset.config.recipe === "fine_tune" ? values.freeze_epochs > 0 : true);
  return { ...whole, kind: "lr_find", name: null, config: { ...config, freeze } };
}
