// Why a run failed, and a button that does the one thing about it: chosen by the error's code.

import { addressOf, go } from "../frame/address.js";
import { byId, make, words } from "../frame/parts.js";
import { sentence } from "../frame/service.js";

const LEAST_BATCH = 2;
const LESS = 10;

const half = ({ config }) => Math.max(LEAST_BATCH, Math.floor(config.batch_size / 2));
const lessThan = (rate) => Number((rate / LESS).toPrecision(3));

// What a new run is to change, by the code of the error: the button's text, and settings or a rate. Every other error
// is resumed where that helps, and else begun again to be changed by hand.
const MENDS = {
  out_of_memory: (run) => [`Start again with batches of ${half(run)}`, { batch_size: half(run) }],
  loss_diverged: (run) => ["Start again with a tenth of the rate", {}, lowered(run)],
  no_rate_found: () => ["Start again with a rate of your own", {}, 1e-3],
  sweep_too_short: () => ["Start again with a longer sweep", { "lr_sweep.steps": 100 }],
  precision_unsupported: () => ["Start again with the precision that the device has", { precision: "auto" }],
};

function lowered(run) {
  const rate = rateOf(run);
  if (rate === null || rate === "auto") return null;
  return Array.isArray(rate) ? rate.map(lessThan) : lessThan(rate);
}

// The rate as it was asked for: the record has one for each group of layers.
function rateOf({ recipe, config }) {
  const [first] = config.phases ?? [];
  if (!first || recipe === "phases") return null;
  if (first.auto) return "auto";
  const { 0: early, 2: head } = first.lr_max;
  return recipe === "fine_tune" || early === head ? head : [early, head];
}

function epochsOf({ recipe, config }) {
  const [first, second] = config.phases ?? [];
  if (recipe === "fine_tune") return { freeze_epochs: first.epochs, epochs: second.epochs };
  return recipe === "one_cycle" ? { epochs: first.epochs, freeze: first.freeze } : {};
}

const valueOf = (config, name) => name.split(".").reduce((part, key) => part?.[key], config);
const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The form of a new run with this one's settings, and those that are to be others.
export function againAddress(run, changes = {}, rate = null) {
  const own = Object.keys(run.changed).filter((name) => name !== "phases").map((name) => [name, valueOf(run.config, name)])
    .filter(([, value]) => value !== undefined && value !== null);
  const all = { arch: run.arch, ...epochsOf(run), ...Object.fromEntries(own), ...changes };
  const set = Object.entries(all).map(([name, value]) => `${name}=${written(value)}`).join(";");
  const lr = rate ?? rateOf(run);
  return addressOf("train", { dataset: run.dataset.name, from: run.parent, recipe: run.recipe, lr: lr === null ? null : written(lr), set });
}

// `resume` is what resuming does; null where it would end the same way.
export function showError(run, error, resume) {
  byId("run-error").hidden = error === null;
  if (error === null) return;
  const button = (text, act) => make("button", { type: "button", class: "mend", on: { click: act } }, text);
  const [text, changes, rate] = MENDS[error.code]?.(run) ?? ["Start again with other settings", {}];
  const act = resume ? button("Resume it", resume) : button(text, () => go(againAddress(run, changes, rate)));
  byId("run-error").replaceChildren(
    make("h3", {}, "It failed"), make("p", {}, make("strong", {}, sentence(error.detail))),
    error.hint ? make("p", {}, sentence(error.hint)) : "",
    make("div", { class: "toolbar" }, act, make("span", { class: "tag", title: "The error’s code" }, words(error.code))));
}
