// One run: its facts, its figures and its epochs; what comes late for a run that is no longer chosen is dropped.

import { Board, prepareFigures, runFigures } from "../frame/figures.js";
import { byId, cell, datasetLink, decimal, drawnTag, fill, FINAL, make, percent, progressLine, words } from "../frame/parts.js";
import { showRates } from "./rates.js";
import { hideReading, showInterprets, showReading } from "./reading.js";
import { offer, say } from "../models/served.js";
import { ask, reasonOf, tell } from "../frame/service.js";
import { showSettings } from "./settings.js";
import { showStory } from "./story.js";
import { want } from "../frame/stream.js";
import { duration, localTime } from "../frame/times.js";
import { waitsFor } from "../frame/waiting.js";

const FIGURES_MS = 1500;
// For so many times as long as a look took there is none: a busy machine gets fewer.
const REST = 4;
const EPOCHS_ONLY = 1000000;
const MODEL = "model.safetensors";

const board = new Board(byId("figures"));
let chosen = null;
let shown = null;
let drawing = null;
let due = 0;
let rest = FIGURES_MS;

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
  hideReading();
  want("run", false);
}

// All of it, as it is now; nothing is drawn where nobody sees it.
export async function renewRun() {
  const id = chosen;
  if (id !== null && !document.hidden) await draw(id);
}

// What is being drawn is not drawn once more meanwhile, but after it.
function draw(id) {
  if (drawing?.id === id) {
    drawing.again = true;
  } else {
    drawing = { id, again: true };
    drawing.done = drawOn(drawing);
  }
  return drawing.done;
}

async function drawOn(work) {
  try {
    while (work.again && work.id === chosen) await drawOnce(work);
  } finally {
    if (drawing === work) drawing = null;
  }
}

async function drawOnce(work) {
  const begun = performance.now();
  work.again = false;
  clearTimeout(due);
  due = 0;
  try {
    await showRun(work.id);
  } finally {
    rest = Math.max(FIGURES_MS, REST * (performance.now() - begun));
  }
}

// Another interpretation, or more of this one.
export const readAnew = () => (shown ? showReading(shown, () => chosen === shown?.id) : null);

// A run that has ended changes when somebody has it interpreted anew.
export async function refreshInterprets() {
  const run = shown;
  if (!run || !holdsModel(run)) return;
  if (await showInterprets(run, () => shown?.id === run.id)) await renewRun();
}

// A training that failed may have kept the model of its finished phases.
function holdsModel({ kind, state, artifacts }) {
  if (kind !== "train") return false;
  return state === "succeeded" || (state === "failed" && artifacts.some(({ name }) => name === MODEL));
}

async function showRun(id) {
  const run = await ask(`/runs/${id}`);
  if (id !== chosen) return;
  showFacts(run);
  await showRecord(run);
}

// Title, facts and button change in one go: the button is about the run that is shown.
function showFacts(run) {
  if (run.id !== shown?.id) hideReading();
  if (run.id !== shown?.id || run.state !== shown.state) say("");
  shown = run;
  byId("run").hidden = false;
  byId("run-title").replaceChildren(`Run ${run.id}${run.name ? ` · ${run.name}` : ""} `, drawnTag(run.dataset.drawn));
  byId("run-facts").replaceChildren(`${words(run.kind)}, ${run.state}: ${run.arch} on `, datasetLink(run.dataset.name),
    `, ${run.dataset.items} items of ${run.dataset.breeds} breeds; ${whereOf(run)}; seed ${run.seed}`);
  byId("run-times").textContent = timesOf(run);
  offer(holdsModel(run) ? run : null);
  showStory(run);
  showSettings(run);
  want("run", !FINAL.has(run.state));
}

function timesOf(run) {
  const times = [`Created ${localTime(run.created_at)}`];
  if (run.started_at) times.push(`started ${localTime(run.started_at)}`);
  if (run.finished_at) times.push(`ended ${localTime(run.finished_at)}`);
  if (run.seconds !== null) times.push(`took ${duration(run.seconds)}`);
  return times.join("; ");
}

function whereOf(run) {
  if (run.device) return `${run.device}, ${run.precision} (${run.precision_reason})`;
  if (run.state === "queued") return "not started";
  return FINAL.has(run.state) ? "it ended before it had a device" : "device not known yet";
}

// Of what is not there nothing is asked for: the browser would log each such answer as an error.
async function showRecord(run) {
  const still = () => chosen === run.id;
  const { epochs, batches } = await ask(`/runs/${run.id}/metrics?every=${EPOCHS_ONLY}`);
  if (!still()) return;
  showEpochs(epochs);
  board.place(runFigures(run, batches.step.length > 0));
  await Promise.all([
    showJob(run),
    board.show(),
    showRates(run, still),
    run.kind === "train" ? showReading(run, still) : null,
  ]);
}

// How far it has come, what it waits for, or why it failed.
async function showJob(run) {
  const isAsked = run.state === "failed" || !FINAL.has(run.state);
  const job = isAsked ? await ask(`/jobs/${run.job}`) : null;
  if (shown !== run) return;
  showProgress(job);
  if (job?.error) say(reasonOf(job.error), true);
}

function showProgress(job) {
  const isComing = job !== null && !FINAL.has(job.state);
  const line = !isComing ? [] : job.state === "queued" ? ["Waits: ", ...waitsFor(job.waiting)] : progressLine(job.progress ?? {});
  byId("run-progress").replaceChildren(...line);
  byId("run-progress").hidden = line.length === 0;
}

// A running run's figures follow it: batch by batch after a rest, all else at once.
export function hearOfShown({ kind, job, data }) {
  if (job !== shown?.job) return;
  if (kind === "progress") showProgress({ state: "running", progress: data });
  if (kind === "progress" || (kind === "log" && !data.plan)) return;
  if (kind !== "batch") tell("run", renewRun());
  else if (!due && !drawing) due = setTimeout(() => { due = 0; tell("run", renewRun()); }, rest);
}

function showEpochs(epochs) {
  byId("table-of-epochs").hidden = epochs.length === 0;
  fill("epochs", epochs.map((row) => make("tr", {},
    cell(row.phase + 1), cell(row.epoch + 1), cell(decimal(row.train_loss), true), cell(decimal(row.valid_loss), true),
    cell(percent(row.error_rate), true), cell(row.seconds.toFixed(1), true))));
}
