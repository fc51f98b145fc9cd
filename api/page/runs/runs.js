// The list of runs, and how far each has come.

import { byId, datasetLink, drawnTag, fill, FINAL, make, percent, progressLine, runLink, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { localTime, shortTime } from "../frame/times.js";
import { waitsFor } from "../frame/waiting.js";

const PAGE = 50;
const MOST_AT_ONCE = 200;

let wanted = PAGE;
let asked = 0;
let listed = [];
const progress = new Map();
const waiting = new Map();

async function refreshRuns() {
  const question = ++asked;
  const { found, isAll } = await readRuns();
  const unfinished = found.filter((run) => !FINAL.has(run.state));
  if (unfinished.length) await readProgress();
  if (question !== asked) return;
  listed = found;
  want("runs", unfinished.length > 0);
  const focused = document.activeElement?.closest("#runs") && document.activeElement.dataset.key;
  byId("no-runs").hidden = found.length > 0;
  byId("runs").hidden = found.length === 0;
  byId("more-runs").hidden = isAll;
  fill("runs", found.map(runRow));
  if (focused) document.querySelector(`#runs [data-key="${CSS.escape(focused)}"]`)?.focus();
}

function showMoreRuns() {
  wanted += PAGE;
  return refreshRuns();
}

async function readRuns() {
  const found = [];
  let cursor = "";
  do {
    const page = await ask(`/runs?limit=${Math.min(MOST_AT_ONCE, wanted - found.length)}${cursor}`);
    found.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor && found.length < wanted);
  return { found, isAll: !cursor };
}

async function readProgress() {
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

function runRow(run) {
  const part = (label, ...content) => make("td", { "data-label": label }, ...content);
  const name = `${run.id}${run.name ? ` · ${run.name}` : ""}`;
  return make("tr", { "data-run": run.id },
    make("td", { class: "name" }, runLink(run.id, name, { "data-key": `run-${run.id}` })),
    part("Kind", words(run.kind)), part("State", run.state), part("Architecture", run.arch),
    part("Dataset", datasetLink(run.dataset.name), " ", drawnTag(run.dataset.drawn)),
    make("td", { class: "number", "data-label": "Error rate" }, percent(run.error_rate)),
    make("td", { "data-label": "Created" }, make("time", { datetime: run.created_at, title: localTime(run.created_at) }, shortTime(run.created_at))),
    make("td", { id: `progress-${run.job}`, class: "progress" }, ...progressOf(run)));
}

function progressOf(run) {
  if (run.state === "failed") return [runLink(run.id, "why", { class: "bad", "data-key": `why-${run.id}` })];
  if (run.state === "queued") return waitsFor(waiting.get(run.job));
  if (FINAL.has(run.state) || !progress.has(run.job)) return [""];
  return progressLine(progress.get(run.job));
}

function hearOfRuns({ kind, job, data }) {
  const run = listed.find((one) => one.job === job);
  if (!run || kind !== "progress" || run.state === "queued") return;
  progress.set(job, data);
  byId(`progress-${job}`)?.replaceChildren(...progressOf(run));
}

export const runs = {
  title: () => "Runs",
  open() {
    byId("more-runs").onclick = () => tell("view", showMoreRuns());
    return refreshRuns();
  },
  refresh: refreshRuns,
  hear: hearOfRuns,
  close: () => want("runs", false),
};
