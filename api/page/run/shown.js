// One run: its facts, and the part of it that is looked at; what comes late for a run that is no longer chosen is dropped.

import { prepareFigures } from "../frame/figures.js";
import { PATIENCE_MS } from "../frame/looks.js";
import { byId, FINAL, progressLine } from "../frame/parts.js";
import { tell, ask } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { waitsFor } from "../frame/waiting.js";
import { offer, say } from "../models/served.js";
import { hideActions, resume, showActions, showOwnActions } from "./actions.js";
import { askForEpochs, growCurves, hideCurves, showCurves } from "./curves.js";
import { showFiles } from "./files.js";
import { showHeader } from "./header.js";
import { offerInterpretation } from "./interpret.js";
import { showError } from "./fix.js";
import { hideReading, showInterprets, showReading } from "./reading.js";
import { showSettings } from "./settings.js";
import { showStory } from "./story.js";
import { hideTabs, showTab, tabOf } from "./tabs.js";

const FIGURES_MS = 2000;
// For so many times as long as a look took there is none: a busy machine gets fewer. The first look has Plotly to
// compile, and says little of the next.
const REST = 9;
const MOST_REST_MS = 15000;
const MODEL = "model.safetensors";
const PARTS = { curves: showCurves, mistakes: showMistakes, config: showSettings, files: showFiles };

let chosen = null;
let shown = null;
let drawing = null;
let due = 0;
let rest = FIGURES_MS;
let hasGrown = false;

export const shownRun = () => shown;

export async function chooseRun(id) {
  chosen = id;
  prepareFigures();
  try {
    await draw(id);
  } catch (error) {
    // Another run was chosen meanwhile: nobody waits for this one.
    if (id !== chosen) return;
    if (shown?.id !== id) leaveRun();
    throw error;
  }
}

export function leaveRun() {
  chosen = shown = null;
  byId("run").hidden = true;
  offer(null);
  hideTabs();
  hideActions();
  hideCurves();
  hideReading();
  want("run", false);
}

// All that is looked at, as it is now; nothing is drawn where nobody sees it.
export async function renewRun() {
  const id = chosen;
  if (id !== null && !document.hidden) await draw(id);
}

// While something is being drawn nothing else is, but all of it after that; what never comes is not waited for.
function draw(id, next = showRun) {
  if (drawing?.id === id && performance.now() - drawing.since < PATIENCE_MS) {
    drawing.next = showRun;
  } else {
    drawing = { id, next, since: performance.now() };
    drawing.done = drawOn(drawing);
  }
  return drawing.done;
}

// What failed is of no interest where all of it is drawn after that.
async function drawOn(work) {
  let failure = null;
  while (work.next && work.id === chosen) failure = await drawOnce(work).then(() => null, (error) => error);
  if (drawing === work) drawing = null;
  if (failure) throw failure;
}

async function drawOnce(work) {
  const begun = performance.now();
  const { id, next } = work;
  work.next = null;
  work.since = begun;
  clearTimeout(due);
  due = 0;
  hasGrown = false;
  try {
    await next(id);
  } finally {
    rest = Math.min(MOST_REST_MS, Math.max(FIGURES_MS, REST * (performance.now() - begun)));
    // What came while this was asked for may not be in it.
    if (hasGrown && work.id === chosen) growLater();
  }
}

function growLater() {
  due ||= setTimeout(grow, rest);
}

// Another interpretation, or more of this one.
export const readAnew = () => (shown ? showReading(shown, () => chosen === shown?.id) : null);

// A run that has ended changes when somebody has it interpreted anew.
export async function refreshInterprets() {
  const run = shown;
  if (!run || tabOf() !== "mistakes" || !holdsModel(run)) return;
  if (await showInterprets(run, () => shown?.id === run.id)) await renewRun();
}

// One that has not succeeded may be resumed from elsewhere, and the stream is not kept open for that: its job is small.
export async function refreshResumed() {
  const run = shown;
  if (!run || run.state === "succeeded" || !FINAL.has(run.state) || drawing) return;
  const { state } = await ask(`/jobs/${run.job}`);
  if (shown === run && state !== run.state) await renewRun();
}

// A training that failed may have kept the model of its finished phases.
function holdsModel({ kind, state, artifacts }) {
  if (kind !== "train") return false;
  return state === "succeeded" || (state === "failed" && artifacts.some(({ name }) => name === MODEL));
}

async function showRun(id) {
  const tab = tabOf() ?? "curves";
  const [run, stored] = await Promise.all([ask(`/runs/${id}`), tab === "curves" ? askForEpochs(id) : null]);
  if (id !== chosen) return;
  showFacts(run);
  await Promise.all([showJob(run), PARTS[tab](run, () => chosen === run.id, stored)]);
}

// Batch by batch only curves change.
async function growRun(id) {
  if (document.hidden || (tabOf() ?? "curves") !== "curves") return;
  if (!await growCurves()) await showRun(id);
}

// Title, facts and buttons change in one go: they are about the run that is shown.
function showFacts(run) {
  if (run.id !== shown?.id) {
    hideReading();
    hideCurves();
    hideActions();
    showError(run, null);
  }
  if (run.id !== shown?.id || run.state !== shown.state) say("");
  shown = run;
  showHeader(run);
  showOwnActions(run, renewRun);
  showStory(run);
  showTab(run);
  offer(holdsModel(run) ? run : null);
  want("run", !FINAL.has(run.state));
}

async function showMistakes(run, still) {
  const offered = offerInterpretation(run, holdsModel(run), refreshInterprets);
  await Promise.all([offered, run.kind === "train" ? showReading(run, still) : null]);
}

// How far it has come, what it waits for, or why it failed.
async function showJob(run) {
  const job = run.state === "succeeded" ? null : await ask(`/jobs/${run.job}`);
  if (shown !== run) return;
  showProgress(job);
  showError(run, job?.error ?? null, job?.resumable ? () => resume(run) : null);
  await showActions(run, job, renewRun);
}

function showProgress(job) {
  const isComing = job !== null && !FINAL.has(job.state);
  const line = !isComing ? [] : job.state === "queued" ? ["Waits: ", ...waitsFor(job.waiting)] : progressLine(job.progress ?? {}, job.state);
  byId("run-progress").replaceChildren(...line);
  byId("run-progress").hidden = line.length === 0;
}

function grow() {
  due = 0;
  if (shown && !drawing) tell("run", draw(shown.id, growRun));
}

// A running run's curves follow it: batch by batch after a rest, all else at once.
export function hearOfShown({ kind, job, data }) {
  if (job !== shown?.job) return;
  if (kind === "progress") showProgress({ state: shown.state === "cancelling" ? shown.state : "running", progress: data });
  if (kind === "progress" || (kind === "log" && !data.plan)) return;
  if (kind !== "batch") tell("run", renewRun());
  else if (drawing) hasGrown = true;
  else growLater();
}
