// What can be read out of a run's stored predictions, and the jobs that renew them.

import { addressOf, go, here, queryName, queryNumber } from "../frame/address.js";
import { closePhotos } from "../frame/enlarged.js";
import { Board, readFigures } from "../frame/figures.js";
import { jobLine } from "../frame/job_line.js";
import { byId, cell, fill, FINAL, make, percent, words } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { FEWEST, hideLosses, showLosses } from "./losses.js";
import { hideShots, shotsAddress, shotsLink } from "./shots.js";
import { walkable } from "./walk.js";
import { clear, writeNew } from "../frame/written.js";

const JOBS = 5;

const board = new Board(byId("read-figures"));
let newest = null;

export function hideReading() {
  newest = null;
  board.place([]);
  closePhotos();
  hideShots();
  hideLosses();
  want("interprets", false);
  byId("reading").hidden = true;
  byId("read-on").replaceChildren();
  clear("interprets");
}

// Show an interpretation: of the run's own validation photos, or of the dataset that is chosen beside it.
export async function showReading(run, still) {
  offer(run);
  await Promise.all([showInterpretation(run, still), FINAL.has(run.state) ? showInterprets(run, still) : null]);
}

// True where an interpretation has come since the last look.
export async function showInterprets(run, still) {
  const { items } = await ask(`/jobs?run=${run.id}&kind=interpret&limit=${JOBS}`);
  if (!still()) return false;
  const told = items.filter((job, place) => !FINAL.has(job.state) || (place === 0 && job.state !== "succeeded"));
  want("interprets", told.some((job) => !FINAL.has(job.state)));
  // It is read aloud whenever it is written.
  writeNew("interprets", told, (place) => place.replaceChildren(...told.map((job) => jobLine(`Interpretation ${job.id}${askedOf(job.config)}`, job))));
  const latest = items.find(({ state }) => state === "succeeded")?.id ?? 0;
  const isNewer = newest !== null && latest > newest;
  newest = latest;
  return isNewer;
}

function askedOf({ tta, dataset }) {
  return `${dataset ? ` on dataset ${dataset}` : ""}${tta ? ", averaged over augmented copies," : ""}`;
}

function offer(run) {
  const select = byId("read-on");
  const others = run.interpretations.filter(({ side }) => side === "all").map(({ dataset }) => dataset);
  select.replaceChildren(make("option", { value: "" }, "the run’s own validation photos"),
    ...others.map((name) => make("option", { value: name }, `all photos of ${name}`)));
  select.value = queryName("on") ?? "";
  byId("read-choice").hidden = others.length === 0;
  select.onchange = () => go(here({ on: select.value || null, losses: null, photo: null, actual: null, predicted: null, correct: null }));
}

// The interpretation that the address names, if the run has it.
async function showInterpretation(run, still) {
  const on = queryName("on");
  const losses = queryNumber("losses");
  const isThere = run.interpretations.some(({ dataset, side }) => (on ? side === "all" && dataset === on : side === "validation"));
  const isNone = !isThere && run.interpretations.length === 0;
  byId("reading").hidden = isNone;
  byId("no-reading").hidden = !isNone;
  byId("no-reading").textContent = FINAL.has(run.state)
    ? "It ended without a model, so there is nothing that it could confuse."
    : "What it takes for what is known when it has ended.";
  if (!isThere && on) throw new Error(`Run ${run.id} was not interpreted on dataset ${on}. Choose another beside “Read on”.`);
  if (!isThere) return;
  const k = Math.max(FEWEST, losses ?? 0);
  const about = on ? `dataset=${encodeURIComponent(on)}` : "";
  const isWanted = () => still() && queryName("on") === on && queryNumber("losses") === losses;
  const [found, worst] = await Promise.all([
    ask(`/runs/${run.id}/confusion?min_val=1&${about}`),
    ask(`/runs/${run.id}/top-losses?k=${k}&${about}`),
  ]);
  if (!isWanted()) return;
  byId("confusion-facts").replaceChildren(...factsOf(found, run).map((fact) => make("span", {}, `${fact} `)));
  showTables(found);
  showLosses(worst, k);
  byId("review-mistakes").href = addressOf(`data/${found.dataset.name}/review`, { source: "top_losses", run: run.id });
  board.place(readFigures(run, about && `?${about}`, found.vocab.length));
  await board.show();
  if (isWanted()) walkable(board, ([actual, predicted]) => go(shotsAddress(found.vocab[actual], found.vocab[predicted])));
}

function factsOf(found, run) {
  const pictures = found.drawn ? "drawn pictures" : "photos";
  const which = found.side === "validation" ? `${found.n} validation ${pictures}` : `All ${found.n} ${pictures}`;
  const facts = [`${which} of dataset ${found.dataset.name}: error rate ${percent(found.error_rate)}.`];
  if (found.macro_error !== null && percent(found.macro_error) !== percent(found.error_rate)) {
    facts.push(`With each breed counting alike it is ${percent(found.macro_error)}.`);
  }
  if (found.tta) facts.push("Each photo’s scores are averaged over 4 augmented copies and the plain photo.");
  if (found.trained_on) facts.push(`${found.trained_on} of these very photos were trained on.`);
  if (found.error_rate !== run.error_rate && run.error_rate !== null) {
    facts.push(`The error rate at the end of the training, ${percent(run.error_rate)}, is of its own validation photos, not averaged.`);
  }
  return found.note ? [...facts, found.note] : facts;
}

function showTables(found) {
  fill("confused", found.most_confused.slice(0, 50).map((row) =>
    make("tr", {}, cell(words(row.actual)), cell(shotsLink(words(row.predicted), row.actual, row.predicted)), cell(row.count, true))));
  fill("scores", found.per_class.map((row) => make("tr", {},
    cell(shotsLink(words(row.breed), row.breed)), cell(row.support, true), cell(percent(row.precision), true), cell(percent(row.recall), true),
    cell(percent(row.f1), true))));
}
