// The list of runs, and the one stream of events that is open.

import { byId, cell, datasetLink, drawnTag, fill, FINAL, make, percent, progressLine, runLink, words } from "/parts.js";
import { chosenRun, renewRun, runMoved, shownRun } from "/run.js";
import { ask, tell } from "/service.js";

const PAGE = 50;
const MOST_AT_ONCE = 200;

let wanted = PAGE;
let asked = 0;
let watched = null;
const progress = new Map();
const waiting = new Map();

export async function refreshRuns() {
  const question = ++asked;
  const { runs, isAll } = await readRuns();
  const unfinished = runs.filter((run) => !FINAL.has(run.state));
  if (unfinished.length) await readProgress();
  if (question !== asked) return;
  const focused = document.activeElement?.closest("#runs") && document.activeElement.dataset.key;
  byId("no-runs").hidden = runs.length > 0;
  byId("more-runs").hidden = isAll;
  fill("runs", runs.map(runRow));
  if (focused) document.querySelector(`#runs [data-key="${CSS.escape(focused)}"]`)?.focus();
  const listed = runs.find((run) => run.id === shownRun()?.id);
  if (listed && listed.state !== shownRun().state) tell("run", renewRun(listed.id));
  watch(unfinished.find((run) => run.id === chosenRun()) ?? unfinished.find((run) => run.state === "running"));
}

export function showMoreRuns() {
  wanted += PAGE;
  return refreshRuns();
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
  for (const job of running.items) if (job.id !== watched?.job) setProgress(job);
  // What waits stands nowhere: an earlier attempt's position is not the next one's.
  for (const job of queued.items) progress.delete(job.id);
  waiting.clear();
  // Newest first; where there are more, the oldest are not here and nobody's place is known.
  if (!queued.next_cursor) queued.items.reverse().forEach(({ id }, place) => waiting.set(id, place));
}

function setProgress(job) {
  if (job.progress) progress.set(job.id, job.progress);
  else progress.delete(job.id);
}

function runRow(run) {
  const part = (label, ...content) => make("td", { "data-label": label }, ...content);
  const name = `${run.id}${run.name ? ` · ${run.name}` : ""}`;
  return make("tr", { "aria-current": run.id === chosenRun() ? "true" : null },
    make("td", { class: "name" }, runLink(run.id, name, { "data-key": `run-${run.id}` })),
    part("Kind", words(run.kind)), part("State", run.state), part("Architecture", run.arch),
    part("Dataset", datasetLink(run.dataset.name), " ", drawnTag(run.dataset.drawn)),
    make("td", { class: "number", "data-label": "Error rate" }, percent(run.error_rate)),
    make("td", { id: `progress-${run.job}`, class: "progress" }, ...progressOf(run)));
}

function progressOf(run) {
  if (run.state === "failed") return [runLink(run.id, "why", { class: "bad", "data-key": `why-${run.id}` })];
  if (run.state === "queued") return [waiting.get(run.job) ? `after ${waiting.get(run.job)} in the queue` : ""];
  if (FINAL.has(run.state) || !progress.has(run.job)) return [""];
  return progressLine(progress.get(run.job));
}

// One stream at a time: a browser opens six connections to a host, and each stream keeps one.
function watch(run) {
  if (run?.job === watched?.job) return;
  watched?.source.close();
  watched = run ? { job: run.job, source: new EventSource(`/jobs/${run.job}/events`) } : null;
  if (run) follow(run, watched.source);
}

function follow(run, source) {
  const data = (event) => JSON.parse(event.data);
  const moved = () => runMoved(run.id);
  const renew = () => { if (run.id === chosenRun()) tell("run", renewRun(run.id)); };
  let state = run.state;
  const showProgress = () => byId(`progress-${run.job}`)?.replaceChildren(...progressOf({ ...run, state }));
  source.addEventListener("progress", (event) => {
    progress.set(run.job, data(event));
    showProgress();
  });
  source.addEventListener("batch", moved);
  source.addEventListener("epoch", moved);
  // The plan has the device and the precision.
  source.addEventListener("log", (event) => { if (data(event).plan) renew(); });
  source.addEventListener("state", (event) => {
    ({ state } = data(event));
    if (state === "queued") progress.delete(run.job);
    showProgress();
    // A final state may be an earlier attempt's, sent again: the list says when the run has really ended.
    renew();
    tell("runs", refreshRuns());
  });
}
