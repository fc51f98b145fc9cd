// A run as a row of the list, and how far it has come.

import { byId, datasetLink, drawnTag, FINAL, make, percent, progressLine, runLink, words } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { duration, localTime, shortTime } from "../frame/times.js";
import { waitsFor } from "../frame/waiting.js";
import { narrows } from "./filters.js";
import { pickBox } from "./picks.js";
import { spark } from "./spark.js";

const MOST_AT_ONCE = 200;

const progress = new Map();
const waiting = new Map();

export async function readProgress() {
  const [running, queued] = await Promise.all(
    ["running", "queued"].map((state) => ask(`/jobs?state=${state}&limit=${MOST_AT_ONCE}`)));
  for (const job of running.items) setProgress(job);
  // What waits stands nowhere: an earlier attempt's position is not the next one's.
  for (const job of queued.items) progress.delete(job.id);
  waiting.clear();
  for (const job of queued.items) waiting.set(job.id, job.waiting);
}

function setProgress(job) {
  if (job.progress) progress.set(job.id, job.progress);
  else progress.delete(job.id);
}

// All that a row says beside the run itself.
export const progressTold = () => JSON.stringify([[...progress], [...waiting]]);

export function runRow(run) {
  const part = (label, ...content) => make("td", { "data-label": label }, ...content);
  const name = `${run.id}${run.name ? ` · ${run.name}` : ""}`;
  return make("tr", { "data-run": run.id },
    make("td", { class: "pick" }, pickBox(run.id)),
    make("td", { class: "name" }, runLink(run.id, name, { "data-key": `run-${run.id}` }), ...wordsOn(run)),
    part("State", make("span", { class: `state ${run.state}` }, run.state),
      make("div", { id: `progress-${run.job}`, class: "progress" }, ...progressOf(run))),
    part("Recipe", run.recipe ? words(run.recipe) : make("span", { class: "quiet" }, words(run.kind))),
    part("Architecture", narrows("arch", run.arch, { class: "calm", "data-key": `arch-${run.id}` })),
    part("Dataset", datasetLink(run.dataset.name), " ", drawnTag(run.dataset.drawn)),
    make("td", { class: "number", "data-label": "Error rate", "data-none": run.error_rate === null }, ...errorOf(run)),
    part("By epoch", spark(run.spark)),
    make("td", { class: "number", "data-label": "Time", "data-none": run.seconds === null }, run.seconds === null ? "–" : duration(run.seconds)),
    part("Created", make("time", { datetime: run.created_at, title: localTime(run.created_at) }, shortTime(run.created_at))));
}

// Its tags, each of which lists its like, and the beginning of its note.
function wordsOn({ id, tags, note }) {
  const chips = tags.map((tag) => narrows("tag", tag, { class: "tag", "data-key": `tag-${id}-${tag}` }));
  return [
    chips.length ? make("div", { class: "tags" }, ...chips) : "",
    note ? make("div", { class: "note quiet", title: note }, note) : "",
  ];
}

function errorOf({ error_rate: rate, error_rate_margin: margin }) {
  if (margin === null) return [percent(rate)];
  const off = `in 95 of 100 cases the true error rate lies no further away than ${percent(margin)}`;
  return [percent(rate), make("span", { class: "quiet", title: off }, ` ± ${(100 * margin).toFixed(1)}`)];
}

function progressOf(run) {
  if (run.state === "failed") return [runLink(run.id, "why", { class: "bad", "data-key": `why-${run.id}` })];
  if (run.state === "queued") return waitsFor(waiting.get(run.job));
  if (FINAL.has(run.state) || !progress.has(run.job)) return [""];
  return progressLine(progress.get(run.job), run.state);
}

export function hearProgress(run, at) {
  progress.set(run.job, at);
  byId(`progress-${run.job}`)?.replaceChildren(...progressOf(run));
}
