// What can be read out of a run's stored predictions, and the jobs that renew them.

import { Board, readFigures } from "/figures.js";
import { byId, cell, fill, FINAL, jobLine, make, percent, words } from "/parts.js";
import { ask, tell } from "/service.js";
import { walkable } from "/walk.js";

const NOT_THERE = new Set(["not_ready", "wrong_kind"]);
const JOBS = 5;
const WORST = 9;

const board = new Board(byId("read-figures"));
let newest = null;

export function hideReading() {
  newest = null;
  board.place([]);
  byId("reading").hidden = true;
  byId("read-on").replaceChildren();
  byId("interprets").replaceChildren();
}

// Show an interpretation: of the run's own validation pictures, or of the dataset that is chosen beside it.
export async function showReading(run, still) {
  offer(run, still);
  await Promise.all([showInterpretation(run, still), showInterprets(run, still)]);
}

// True where an interpretation has come since the last look.
export async function showInterprets(run, still) {
  const { items } = await ask(`/jobs?run=${run.id}&kind=interpret&limit=${JOBS}`);
  if (!still()) return false;
  const told = items.filter((job, place) => !FINAL.has(job.state) || (place === 0 && job.state !== "succeeded"));
  byId("interprets").replaceChildren(...told.map((job) => jobLine(`Interpretation ${job.id}${askedOf(job.config)}`, job)));
  const latest = items.find(({ state }) => state === "succeeded")?.id ?? 0;
  const isNewer = newest !== null && latest > newest;
  newest = latest;
  return isNewer;
}

function askedOf({ tta, dataset }) {
  return `${dataset ? ` on dataset ${dataset}` : ""}${tta ? ", averaged over augmented copies," : ""}`;
}

function offer(run, still) {
  const select = byId("read-on");
  const kept = select.value;
  const others = run.interpretations.filter(({ side }) => side === "all").map(({ dataset }) => dataset);
  select.replaceChildren(make("option", { value: "" }, "the run’s own validation pictures"),
    ...others.map((name) => make("option", { value: name }, `all pictures of ${name}`)));
  select.value = others.includes(kept) ? kept : "";
  byId("read-choice").hidden = others.length === 0;
  select.onchange = () => tell("run", showInterpretation(run, still));
}

async function showInterpretation(run, still) {
  const name = byId("read-on").value;
  const about = name ? `dataset=${encodeURIComponent(name)}` : "";
  const isWanted = () => still() && byId("read-on").value === name;
  let answers;
  try {
    answers = await Promise.all([
      ask(`/runs/${run.id}/confusion?min_val=1&${about}`),
      ask(`/runs/${run.id}/top-losses?k=${WORST}&${about}`),
    ]);
  } catch (error) {
    if (!NOT_THERE.has(error.code)) throw error;
    if (isWanted()) byId("reading").hidden = true;
    return;
  }
  if (!isWanted()) return;
  const [found, worst] = answers;
  byId("reading").hidden = false;
  byId("confusion-facts").replaceChildren(...factsOf(found, run).map((fact) => make("span", {}, `${fact} `)));
  showTables(found);
  byId("worst").replaceChildren(...worst.map(lossCard));
  board.place(readFigures(run, about && `?${about}`));
  await board.show();
  if (isWanted()) walkable(board, found);
}

function factsOf(found, run) {
  const pictures = found.drawn ? "drawn pictures" : "photos";
  const which = found.side === "validation" ? `${found.n} validation ${pictures}` : `All ${found.n} ${pictures}`;
  const facts = [`${which} of dataset ${found.dataset.name}: error rate ${percent(found.error_rate)}.`];
  if (found.tta) facts.push("Each picture’s scores are averaged over 4 augmented copies and the plain picture.");
  if (found.trained_on) facts.push(`${found.trained_on} of these very pictures were trained on.`);
  if (found.error_rate !== run.error_rate && run.error_rate !== null) {
    facts.push(`The error rate at the end of the training, ${percent(run.error_rate)}, is of its own validation pictures, not averaged.`);
  }
  return found.note ? [...facts, found.note] : facts;
}

function showTables(found) {
  fill("confused", found.most_confused.slice(0, 50).map((row) =>
    make("tr", {}, cell(words(row.actual)), cell(words(row.predicted)), cell(row.count, true))));
  fill("scores", found.per_class.map((row) => make("tr", {},
    cell(words(row.breed)), cell(row.support, true), cell(percent(row.precision), true), cell(percent(row.recall), true),
    cell(percent(row.f1), true))));
}

function lossCard(one) {
  const loss = one.loss === null ? "infinite" : one.loss.toFixed(2);
  const chance = (breed, probability) => make("span", {}, `${words(breed)} `, make("b", {}, percent(probability)));
  return make("li", {},
    make("img", { src: one.image, loading: "lazy", alt: `Item ${one.item}, actually ${words(one.actual)}` }),
    make("span", { class: "quiet" }, `Item ${one.item}, loss ${loss}`),
    make("span", {}, "Actual: ", chance(one.actual, one.probability_actual)),
    make("span", {}, "Predicted: ", chance(one.predicted, one.probability_predicted)),
    one.trained_on ? make("span", { class: "tag" }, "trained on") : "");
}
