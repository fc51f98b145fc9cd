// Runs beside each other: facts, which is better, curves, settings.

import { addressOf, here, placeOf } from "../frame/address.js";
import { Board, curveFigures } from "../frame/figures.js";
import { byId, datasetLink, drawnTag, fill, FINAL, make, percent, runLink, words } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { duration } from "../frame/times.js";
import { chosenPair, showOutcome } from "./outcome.js";
import { hidePhotos, preparePhotos, showPhotos } from "./photos.js";
import { prepareSettings, showSettings } from "./settings.js";

const board = new Board(byId("compare-board"));

let isReady = false;
let asked = "";
let found = null;
// Of what was found, what is wholly shown.
let drawn = "";
let question = 0;

async function read() {
  const number = ++question;
  const answer = await ask(`/runs/compare?runs=${asked}`);
  if (number !== question) return;
  const told = JSON.stringify(answer);
  found = answer;
  want("compare", answer.runs.some((run) => !FINAL.has(run.state)));
  byId("compare-loading").hidden = true;
  byId("compare-all").hidden = byId("compared").hidden = false;
  if (told === drawn) return;
  drawn = "";
  await show();
  if (found === answer) drawn = told;
}

async function show() {
  const ids = found.runs.map((run) => run.id);
  fill("compared", found.runs.map(runRow));
  showSettings(found);
  const hasCurves = found.curves.some(({ epoch }) => epoch.length > 0);
  byId("no-curves").hidden = hasCurves;
  board.place(hasCurves ? curveFigures(ids) : []);
  await Promise.all([board.show(), showPair()]);
}

// The pair that the address names, or the first; with its photos.
async function showPair() {
  const pair = chosenPair(found);
  showOutcome(found, pair);
  if (pair.outcomes) await showPhotos(pair, placeOf().query);
  else hidePhotos();
}

function runRow(run) {
  const name = `${run.id}${run.name ? ` · ${run.name}` : ""}`;
  const margin = run.error_rate_margin === null ? "" : make("span", { class: "quiet" }, ` ± ${(100 * run.error_rate_margin).toFixed(1)}`);
  const others = found.runs.filter((one) => one !== run).map((one) => one.id);
  const leave = others.length < 2 ? "" : make("a", { href: here({ runs: others.join(","), pair: null, photo: null }), "aria-label": `Leave run ${run.id} out` }, "leave out");
  return make("tr", { "data-run": run.id },
    make("td", { class: "name" }, runLink(run.id, name)), make("td", {}, make("span", { class: `state ${run.state}` }, run.state)),
    make("td", {}, words(run.recipe ?? run.kind)), make("td", {}, run.arch),
    make("td", {}, datasetLink(run.dataset.name), " ", drawnTag(run.dataset.drawn)),
    make("td", { class: "number" }, percent(run.error_rate), margin),
    make("td", { class: "number" }, run.seconds === null ? "–" : duration(run.seconds)), make("td", {}, leave));
}

function showNone() {
  question++;
  want("compare", false);
  for (const part of ["compare-all", "compared", "compare-loading"]) byId(part).hidden = true;
  byId("compare-none").hidden = false;
}

function prepare() {
  isReady = true;
  byId("compare-back").href = addressOf("runs");
  byId("compare-pick").href = addressOf("runs");
  preparePhotos();
  prepareSettings();
}

export const compare = {
  title: () => "Compare",
  async open(_, query) {
    if (!isReady) prepare();
    if (!found || asked !== query.get("runs")) {
      await this.turn(query);
      return;
    }
    drawn = "";
    await read();
  },
  async turn(query) {
    const runs = query.get("runs") ?? "";
    if (!runs) {
      asked = "";
      found = null;
      showNone();
      return;
    }
    byId("compare-none").hidden = true;
    byId("compare-back").href = addressOf("runs", { pick: runs });
    if (runs === asked && found) {
      showSettings(found);
      await showPair();
      return;
    }
    asked = runs;
    drawn = "";
    found = null;
    byId("compare-all").hidden = byId("compared").hidden = true;
    byId("compare-loading").hidden = false;
    try {
      await read();
    } finally {
      byId("compare-loading").hidden = true;
    }
  },
  // What has ended does not change.
  async refresh(isMissed) {
    if (asked && (isMissed || !drawn || found.runs.some((run) => !FINAL.has(run.state)))) await read();
  },
  close() {
    question++;
    asked = drawn = "";
    found = null;
    want("compare", false);
    hidePhotos();
  },
};
