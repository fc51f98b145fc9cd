// One run: its facts, its figures and its epochs; what comes late for a run that is no longer chosen is dropped.

import { Board, runFigures } from "/figures.js";
import { byId, cell, datasetLink, decimal, drawnTag, fill, FINAL, make, percent, words } from "/parts.js";
import { showRates } from "/rates.js";
import { hideReading, showInterprets, showReading } from "/reading.js";
import { showServed } from "/served.js";
import { ask, reasonOf, tell } from "/service.js";
import { showStory } from "/story.js";

const FIGURES_MS = 1500;
const EPOCHS_ONLY = 1000000;
const MODEL = "model.safetensors";

const board = new Board(byId("figures"));
let chosen = null;
let shown = null;
let figuresDue = 0;

export const chosenRun = () => chosen;
export const shownRun = () => shown;

export async function chooseRun(id) {
  chosen = id;
  try {
    await showRun(id);
    if (id === chosen) byId("run").focus();
  } catch (error) {
    // Another run was chosen meanwhile: nobody waits for this one.
    if (id !== chosen) return;
    if (shown?.id !== id) leaveRun();
    throw error;
  }
}

function leaveRun() {
  chosen = shown = null;
  byId("run").hidden = true;
}

// All of it where it has ended; else the facts, which are known bit by bit.
export async function renewRun(id) {
  if (id !== chosen) return;
  const run = await ask(`/runs/${id}`);
  if (id !== chosen) return;
  showFacts(run);
  if (FINAL.has(run.state)) await showRecord(run);
}

// A run that has ended changes when somebody has it interpreted anew.
export async function refreshInterprets() {
  const run = shown;
  if (!run || !holdsModel(run)) return;
  if (await showInterprets(run, () => shown?.id === run.id)) await renewRun(run.id);
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
    `, ${run.dataset.items} pictures of ${run.dataset.breeds} breeds; ${whereOf(run)}; seed ${run.seed}`);
  byId("register").hidden = !holdsModel(run);
  byId("register").onclick = () => register(run.id);
  showStory(run);
}

function whereOf(run) {
  if (run.device) return `${run.device}, ${run.precision} (${run.precision_reason})`;
  if (run.state === "queued") return "not started";
  return FINAL.has(run.state) ? "it ended before it had a device" : "device not known yet";
}

async function showRecord(run) {
  board.place(runFigures(run));
  const still = () => chosen === run.id;
  await Promise.all([
    showJobError(run),
    showEpochs(run.id),
    board.show(),
    showRates(run, still),
    FINAL.has(run.state) && run.kind === "train" ? showReading(run, still) : null,
  ]);
}

async function showJobError(run) {
  if (run.state !== "failed") return;
  const { error } = await ask(`/jobs/${run.job}`);
  if (shown === run && error) say(reasonOf(error), true);
}

function say(message, bad = false) {
  byId("run-message").textContent = message;
  byId("run-message").className = bad ? "bad" : "";
}

async function register(id) {
  byId("register").disabled = true;
  try {
    const model = await ask("/models", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ run: id, alias: "production" }),
    });
    tell("register");
    if (shown?.id === id) say(`Run ${id} is in production as version ${model.version}.`);
  } catch (error) {
    const message = `Run ${id} is not in production. ${error.message}`;
    if (shown?.id === id) say(message, true);
    // Whoever looks at another run by now would take it for done.
    else tell("register", Promise.reject(new Error(message)));
  } finally {
    byId("register").disabled = false;
  }
  tell("served", showServed());
}

// A running run's losses and schedule follow it, at most once in FIGURES_MS.
export function runMoved(id) {
  if (id !== chosen || figuresDue) return;
  figuresDue = setTimeout(() => {
    figuresDue = 0;
    if (id === shown?.id) tell("run", Promise.all([showEpochs(id), board.show(), showRates(shown, () => id === chosen)]));
  }, FIGURES_MS);
}

async function showEpochs(id) {
  const { epochs } = await ask(`/runs/${id}/metrics?every=${EPOCHS_ONLY}`);
  if (id !== chosen) return;
  byId("table-of-epochs").hidden = epochs.length === 0;
  fill("epochs", epochs.map((row) => make("tr", {},
    cell(row.phase + 1), cell(row.epoch + 1), cell(decimal(row.train_loss), true), cell(decimal(row.valid_loss), true),
    cell(percent(row.error_rate), true), cell(row.seconds.toFixed(1), true))));
}
