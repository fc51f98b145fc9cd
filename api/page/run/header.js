// What a run is known by: its name, how it stands, its figures and its times.

import { addressOf } from "../frame/address.js";
import { byId, datasetLink, drawnTag, FINAL, make, percent, words } from "../frame/parts.js";
import { duration, localTime } from "../frame/times.js";

export function showHeader(run) {
  byId("run").hidden = false;
  byId("run-way").replaceChildren(make("a", { href: addressOf("runs") }, "Runs"));
  byId("run-title").replaceChildren(`Run ${run.id}${run.name ? ` · ${run.name}` : ""} `, drawnTag(run.dataset.drawn));
  byId("run-state").textContent = words(run.state);
  byId("run-state").dataset.state = run.state;
  byId("run-note").hidden = !run.note;
  byId("run-note").textContent = run.note ?? "";
  byId("run-tags").replaceChildren(...run.tags.map((tag) => make("li", {}, make("a", { class: "tag", href: addressOf("runs", { tag }) }, tag))));
  byId("run-facts").replaceChildren(...factsOf(run));
  byId("run-times").textContent = timesOf(run);
}

const fact = (name, value, part = "", main = false) => make("div", {}, make("dt", {}, name),
  make("dd", {}, make("span", main ? { class: "main" } : {}, value), part && make("span", { class: "part" }, part)));

function factsOf(run) {
  const error = run.error_rate === null ? [] : [fact("Error rate", percent(run.error_rate),
    run.error_rate_margin === null ? "" : `give or take ${percent(run.error_rate_margin)}`, true)];
  return [...error,
    fact("Kind", run.recipe ? words(run.recipe) : words(run.kind)),
    fact("Architecture", run.arch, `seed ${run.seed}`),
    fact("Dataset", datasetLink(run.dataset.name), `${run.dataset.items} items of ${run.dataset.breeds} breeds`),
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
