// The curves of a run, which grow while it trains, the table of epochs and the searches for a rate.

import { Board, runFigures } from "../frame/figures.js";
import { byId, cell, decimal, fill, FINAL, make, percent } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { showRates } from "./rates.js";
import { clear, writeNew } from "../frame/written.js";

const EPOCHS_ONLY = 1000000;

const board = new Board(byId("figures"));

export function hideCurves() {
  board.place([]);
  clear("rates");
  byId("table-of-epochs").hidden = true;
  byId("run-no-curves").hidden = true;
}

export const askForEpochs = (id) => ask(`/runs/${id}/metrics?every=${EPOCHS_ONLY}`);

// Of what is not there nothing is asked for: the browser would log each such answer as an error.
export async function showCurves(run, still, { epochs, batches }) {
  showEpochs(epochs);
  const figures = runFigures(run, batches.step.length > 0);
  byId("run-no-curves").hidden = figures.length > 0 || epochs.length > 0;
  byId("run-no-curves").textContent = FINAL.has(run.state) ? "It ended before its first step." : "They begin with its first step.";
  board.place(figures);
  await Promise.all([board.show(), showRates(run, still)]);
}

// The curves over the steps, of a run that goes on. False while there are none.
export const growCurves = () => board.showSteps();

function showEpochs(epochs) {
  byId("table-of-epochs").hidden = epochs.length === 0;
  writeNew("epochs", epochs, () => fill("epochs", epochs.map(rowOf)));
}

function rowOf(row) {
  return make("tr", {}, cell(row.phase + 1), cell(row.epoch + 1), cell(decimal(row.train_loss), true), cell(decimal(row.valid_loss), true),
    cell(percent(row.error_rate), true), cell(row.seconds.toFixed(1), true));
}
