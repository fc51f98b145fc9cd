// What a run is known by: its name, how it stands, its figures and its times.

import { addressOf } from "../frame/address.js";
import { byId, datasetLink, drawnTag, FINAL, make, percent, revisionName, words } from "../frame/parts.js";
import { duration, localTime } from "../frame/times.js";
import { writeNew } from "../frame/written.js";

export function showHeader(run) {
  byId("run").hidden = false;
  writeNew("run-way", null, (place) => place.replaceChildren(make("a", { href: addressOf("runs") }, "Runs")));
  writeNew("run-title", [run.id, run.name, run.dataset.drawn], (place) =>
    place.replaceChildren(`Run ${run.id}${run.name ? ` · ${run.name}` : ""} `, drawnTag(run.dataset.drawn)));
  write("run-state", words(run.state));
  byId("run-state").dataset.state = run.state;
  byId("run-note").hidden = !run.note;
  write("run-note", run.note ?? "");
  writeNew("run-tags", run.tags, (place) =>
    place.replaceChildren(...run.tags.map((tag) => make("li", {}, make("a", { class: "tag", href: addressOf("runs", { tag }) }, tag)))));
  writeNew("run-facts", knownOf(run), (place) => place.replaceChildren(...factsOf(run)));
  write("run-times", timesOf(run));
}

const write = (id, text) => writeNew(id, text, (place) => { place.textContent = text; });

// What the facts are made of.
const knownOf = ({ state, error_rate: errors, error_rate_margin: margin, recipe, kind, arch, seed, dataset, study, device, precision, precision_reason: reason }) =>
  [state, errors, margin, recipe, kind, arch, seed, dataset, study, device, precision, reason];

const fact = (name, value, part = "", main = false) => make("div", {}, make("dt", {}, name),
  make("dd", {}, make("span", main ? { class: "main" } : {}, value), part && make("span", { class: "part" }, part)));

function factsOf(run) {
  const error = run.error_rate === null ? [] : [fact("Error rate", percent(run.error_rate),
    run.error_rate_margin === null ? "" : `give or take ${percent(run.error_rate_margin)}`, true)];
  return [...error,
    fact("Kind", run.recipe ? words(run.recipe) : words(run.kind)),
    fact("Architecture", run.arch, `seed ${run.seed}`),
    fact("Dataset", datasetLink(run.dataset.name), `${revisionName(run.dataset)}: ${run.dataset.items} items of ${run.dataset.breeds} breeds`),
    ...run.study ? [fact("Trial", make("a", { href: addressOf(`searches/${run.study.job}`) }, `${run.study.trial} of search ${run.study.job}`))] : [],
    fact("Computed on", run.device ?? whereOf(run), run.device ? `${run.precision} (${run.precision_reason})` : "")];
}

function whereOf(run) {
  if (run.state === "queued") return "not started";
  return FINAL.has(run.state) ? "it ended before it had a device" : "not known yet";
}

function timesOf(run) {
  const times = [`Created ${localTime(run.created_at)}`];
  if (run.started_at) times.push(`started ${localTime(run.started_at)}`);
  if (run.finished_at) times.push(`ended ${localTime(run.finished_at)}`);
  if (run.seconds !== null) times.push(`took ${duration(run.seconds)}`);
  return times.join("; ");
}
