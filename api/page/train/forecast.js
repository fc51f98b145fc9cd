// How long it will take and whether it fits, before it starts; and what the service finds wrong with it.

import { askOnce } from "../frame/once.js";
import { byId, counted, make } from "../frame/parts.js";
import { ask, reasonOf, sentence } from "../frame/service.js";
import { duration } from "../frame/times.js";
import { gib } from "../jobs/workers.js";
import { sayWrong } from "./fields.js";

const JSON_BODY = { "Content-Type": "application/json" };
const post = (body) => ({ method: "POST", headers: JSON_BODY, body: JSON.stringify(body) });

export const dryRun = (body) => ask("/jobs?dry_run=true", post(body));
export const start = (body) => askOnce("/jobs", post(body));
export const measure = (body) => askOnce("/jobs", post({ kind: "forecast", of: body }));

// Each fault at its field; what has no place there is returned as one sentence.
export function sayFaults(host, error) {
  const { problem } = error;
  if (!problem) return error.message;
  const faults = problem.errors ?? [problem];
  return faults.filter((fault) => !atItsField(host, fault)).map(reasonOf).join(" ");
}

function atItsField(host, { field, detail, hint }) {
  if (!field) return false;
  const parts = field.split(".").filter((part, number) => !(number === 0 && part === "body") && !(number === 1 && part === "config"));
  const said = [detail, hint].filter(Boolean).map(sentence).join(" ");
  for (let length = parts.length; length > 0; length -= 1) {
    const name = parts.slice(0, length).join(".");
    if (!sayWrong(host, name, said)) continue;
    const folded = host.querySelector(`[data-error="${CSS.escape(name)}"]`).closest("details");
    if (folded) folded.open = true;
    return true;
  }
  return false;
}

// `arch` tells what it may need where nothing was measured.
export function showSum({ config, forecast }, { values, goesOn }, arch, workers) {
  const rows = [["Does", plainPhases(config)], ["Takes", time(forecast)], ["Memory", memory(forecast, values, arch, workers)],
    ["On", forecast?.device ?? devices(workers)]];
  const isAway = !goesOn && values.pretrained && arch && !arch.weights.in_reach;
  if (isAway) rows.push(["Weights", "not on the service’s machine: the worker looks on its own, then tries to download them"]);
  const basis = forecast ? [make("details", {}, make("summary", { class: "quiet" }, "What this rests on"), make("p", { class: "quiet" }, forecast.basis))] : [];
  byId("train-sum").replaceChildren(make("dl", {}, ...rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)])), ...basis);
  byId("measure").hidden = Boolean(forecast);
}

function plainPhases({ phases, lr_sweep: sweep }) {
  if (!phases) return `${counted(sweep.sweeps, "sweep")} of ${sweep.steps} steps`;
  return phases.map(({ freeze, epochs }) => `${counted(epochs, "epoch")} of ${freeze ? "the head" : "everything"}`).join(", then ");
}

function time(forecast) {
  if (!forecast) return "not known yet: nothing like it ran here";
  const { total_seconds: total, total_seconds_low: low, total_seconds_high: high } = forecast;
  const ends = low === null || duration(low) === duration(high) ? "" : ` (${duration(low)} to ${duration(high)})`;
  return `about ${duration(total)}${ends}`;
}

function memory(forecast, values, arch, workers) {
  const measured = forecast?.peak_memory_bytes ?? null;
  const estimated = arch ? arch.memory_bytes * (values.batch_size / 64) * (values.size / 224) ** 2 : null;
  const needed = measured ?? estimated;
  if (needed === null) return "not known";
  const most = Math.max(...training(workers).map((one) => one.memory_bytes ?? 0), 0);
  const about = `${measured === null ? "roughly " : ""}${gib(needed)}`;
  if (!most) return about;
  return `${about} of ${gib(most)}: ${needed < 0.95 * most ? "fits" : "may not fit; a smaller batch_size or size needs less"}`;
}

const training = (workers) => workers.filter(({ lanes }) => lanes.includes("train"));

function devices(workers) {
  const names = [...new Set(training(workers).map(({ device }) => device ?? "a worker"))];
  return names.length ? names.join(", ") : "no worker that trains is running: it will wait for one";
}
