// Why a run failed, and a button that does the one thing about it: chosen by the error's code.

import { addressOf, go } from "../frame/address.js";
import { byId, make } from "../frame/parts.js";
import { ask, sentence, tell } from "../frame/service.js";
import { archsInReach } from "../train/near.js";
import { settingsOf } from "../train/plan.js";
import { writeNew } from "../frame/written.js";

const LEAST_BATCH = 2;
const LESS = 10;
const OWN_RATE = 1e-3;
const SEARCH = "find_rate";

const half = ({ config }) => Math.max(LEAST_BATCH, Math.floor(config.batch_size / 2));
const lessThan = (rate) => Number((rate / LESS).toPrecision(3));

// What a new run is to change, by the code of the error: the button's text and the settings, or what comes to them. Every
// other error is resumed where that helps, and else begun again to be changed by hand.
const FIXES = {
  out_of_memory: (run) => [`Start again with batches of ${half(run)}`, { batch_size: half(run) }],
  loss_diverged: (run) => ["Start again with a tenth of the rate", atRate(run, lowered)],
  no_rate_found: (run) => ["Start again with a rate of your own", atRate(run, (rate) => (rate === "auto" ? OWN_RATE : rate))],
  sweep_too_short: () => ["Start again with a longer sweep", { "lr_sweep.steps": 100 }],
  weights_missing: () => ["Start again without these weights", otherWeights],
  precision_unsupported: () => ["Start again with the precision that the device has", { precision: "auto" }],
};

async function otherWeights() {
  const [near] = archsInReach((await ask("/architectures")).items);
  return near ? { arch: near } : { pretrained: false };
}

function lowered(rate) {
  if (rate === "auto") return rate;
  return Array.isArray(rate) ? rate.map(lessThan) : lessThan(rate);
}

// The rate as it was asked for is another: that of each phase, where they are spelt out.
function atRate(run, change) {
  const { base_lr: base, lr_max: most, phases } = settingsOf(run);
  if (phases) return { phases: phases.map((one) => ({ ...one, lr_max: change(one.lr_max) })) };
  if (base !== undefined) return { base_lr: change(base) };
  return most === undefined ? {} : { lr_max: change(most) };
}

const valueOf = (config, name) => name.split(".").reduce((part, key) => part?.[key], config);
const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The form of a new run with this one's settings, and those that are to be others.
function againAddress(run, changes) {
  const own = Object.keys(run.changed).filter((name) => name !== "phases").map((name) => [name, valueOf(run.config, name)])
    .filter(([, value]) => value !== undefined && value !== null);
  const { recipe = SEARCH, base_lr: base, lr_max: lr = base ?? null, ...all } = { arch: run.arch, ...Object.fromEntries(own), ...settingsOf(run), ...changes };
  const set = Object.entries(all).map(([name, value]) => `${name}=${written(value)}`).join(";");
  return addressOf("train", { dataset: run.dataset.name, from: run.parent, recipe, lr: lr === null ? null : written(lr), set });
}

// `resume` is what resuming does; null where it would end the same way.
export function showError(run, error, resume) {
  byId("run-error").hidden = error === null;
  if (error !== null) writeNew("run-error", [run, error, Boolean(resume)], (place) => place.replaceChildren(...cardOf(run, error, resume)));
}

function cardOf(run, error, resume) {
  const button = (text, act, kind = "fix") => make("button", { type: "button", class: kind, on: { click: act } }, text);
  const fix = FIXES[error.code]?.(run);
  const [text, changes] = fix ?? ["Start again with other settings", {}];
  // Breeds are added to a version of a model, not by the form.
  const isForm = run.config.recipe !== "add_breeds";
  const begin = async () => go(againAddress(run, typeof changes === "function" ? await changes() : changes));
  const again = isForm ? [button(text, () => tell("fix", begin()))] : [];
  const acts = resume ? [...fix ? again : [], button("Resume it", resume, fix && isForm ? "fix secondary" : "fix")] : again;
  return [
    make("h3", {}, "It failed"), make("p", {}, make("strong", {}, sentence(error.detail))),
    error.hint ? make("p", {}, sentence(error.hint)) : "",
    make("div", { class: "toolbar" }, ...acts, make("span", { class: "quiet" }, "Code: ", make("code", {}, error.code)))];
}
