// The list of runs, and how far each has come.

import { byId, datasetLink, drawnTag, fill, FINAL, make, percent, progressLine, runLink, words } from "./parts.js";
import { chosenRun, renewRun, shownRun } from "./run.js";
import { ask, tell } from "./service.js";
import { want } from "./stream.js";
import { localTime, shortTime } from "./times.js";
import { waitsFor } from "./waiting.js";

const PAGE = 50;
const MOST_AT_ONCE = 200;

let wanted = PAGE;
let asked = 0;
let listed = [];
const progress = new Map();
const waiting = new Map();

export async function refreshRuns() {
  const question = ++asked;
  const { runs, isAll } = await readRuns();
  const unfinished = runs.filter((run) => !FINAL.has(run.state));
  if (unfinished.length) await readProgress();
  if (question !== asked) return;
  listed = runs;
  want("runs", unfinished.length > 0);
  const focused = document.activeElement?.closest("#runs") && document.activeElement.dataset.key;
  byId("no-runs").hidden = runs.length > 0;
  byId("runs").hidden = runs.length === 0;
  byId("more-runs").hidden = isAll;
  fill("runs", runs.map(runRow));
  if (focused) document.querySelector(`#runs [data-key="${CSS.escape(focused)}"]`)?.focus();
  const shown = runs.find((run) => run.id === shownRun()?.id);
  if (shown && shown.state !== shownRun().state) tell("run", renewRun());
}

export function showMoreRuns() {
  wanted += PAGE;
  return refreshRuns();
}

// Mark the chosen run without asking for the list.
export function markRun() {
  for (const row of document.querySelectorAll("#runs tbody tr")) {
    if (row.dataset.run === String(chosenRun())) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

async function readRuns() {
  const runs = [];
  let cursor = "";
  do {
    const page = await ask(`/runs?limit=${Math.min(MOST_AT_ONCE, wanted - runs.length)}${cursor}`);
    runs.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor && runs.length < wanted);
  return { runs, isAll: !cursor };
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
  return make("tr", { "aria-current": run.id === chosenRun() ? "true" : null, "data-run": run.id },
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

export function hearOfRuns({ kind, job, data }) {
  const run = listed.find((one) => one.job === job);
  if (!run || kind !== "progress" || run.state === "queued") return;
  progress.set(job, data);
  byId(`progress-${job}`)?.replaceChildren(...progressOf(run));
}
