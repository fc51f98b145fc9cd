// A search for a rate beside the form: its curve, on which a click takes a rate, and its suggestions.

import { Board, runFigures } from "../frame/figures.js";
import { byId, FINAL, make, progressLine, rate, runLink, words } from "../frame/parts.js";
import { ask, reasonOf, sentence } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { waitsFor } from "../frame/waiting.js";

const NAMES = { minimum: "minimum/10" };
const board = new Board(byId("rate-figure"));
let shown = null;
let drawn = null;
let asked = 0;

const isSearching = () => shown !== null && !FINAL.has(shown.state);

// Whether there is more to come of a search, or to be read of it.
export const isUnfinished = () => isSearching() || (shown !== null && drawn !== shown.id);

// Whether all of a search is shown; while it runs, the stream and the view's refreshing keep it so.
export const isShown = (id) => drawn === id;

export function hideSearch() {
  if (shown) byId("find-rate").disabled = false;
  shown = drawn = null;
  asked += 1;
  byId("rate-search").hidden = true;
  board.place([]);
  want("search", false);
}

// `take` is given the rate that somebody chooses.
export async function showSearch(id, take) {
  const question = ++asked;
  try {
    await showAsked(id, take, () => question === asked);
  } finally {
    if (question === asked) byId("find-rate").disabled = isSearching();
  }
}

async function showAsked(id, take, still) {
  const run = await ask(`/runs/${id}`);
  if (!still()) return;
  if (run.kind !== "lr_find") throw new Error(`Run ${id} is no search for a rate.`);
  shown = run;
  drawn = null;
  byId("rate-search").hidden = false;
  want("search", !FINAL.has(run.state));
  if (run.state === "succeeded") await showFound(run, take, still);
  else await showWay(run, still);
  if (still()) drawn = id;
}

async function showWay(run, still) {
  const job = await ask(`/jobs/${run.job}`);
  if (!still()) return;
  byId("rate-offers").replaceChildren();
  board.place([]);
  if (job.error) say("The search failed: ", reasonOf(job.error));
  else if (job.state === "queued") say("The search waits: ", ...waitsFor(job.waiting));
  else if (job.state === "cancelled") say("The search was cancelled.");
  else say("The search is at work: ", runLink(run.id), ".");
  showProgress(...(FINAL.has(job.state) || job.state === "queued" ? [] : progressLine(job.progress ?? {}, job.state)));
}

// It is read aloud whenever it is written.
function say(...parts) {
  const text = parts.map((part) => part.textContent ?? part).join("");
  if (byId("rate-said").textContent !== text) byId("rate-said").replaceChildren(...parts);
}

// How far it is changes too often to be read aloud.
function showProgress(...parts) {
  byId("rate-progress").hidden = parts.length === 0;
  byId("rate-progress").replaceChildren(...parts);
}

async function showFound(run, take, still) {
  const found = await ask(`/runs/${run.id}/lr-find`);
  if (!still()) return;
  const offers = Object.entries(found.suggestions).filter(([, value]) => value !== null);
  const why = found.agreement_reason ? ` ${sentence(found.agreement_reason)}` : "";
  say(...(offers.length ? ["Click the curve at a rate, or take a suggestion."] : [`The search suggests nothing.${why} A rate can still be taken from the curve.`]));
  showProgress();
  byId("rate-offers").replaceChildren(...offers.map(([name, value]) => make("button", { type: "button", class: "secondary", on: { click: () => take(rounded(value)) } },
    `${NAMES[name] ?? words(name)}: ${rate(value)}`)));
  board.place(runFigures(run, false));
  await board.show();
  if (!still()) return;
  for (const chart of byId("rate-figure").querySelectorAll(".js-plotly-plot")) hearClicks(chart, take);
}

function hearClicks(chart, take) {
  if (chart.dataset.heard) return;
  chart.dataset.heard = "yes";
  // The nearest point of a curve, however far it is.
  window.Plotly.relayout(chart, { hoverdistance: -1 });
  chart.on("plotly_click", ({ points }) => take(rounded(points[0].x)));
}

const rounded = (value) => Number(value.toPrecision(2));

export function hearOfSearch({ kind, job, data }) {
  if (job !== shown?.job) return;
  if (kind === "progress") showProgress(...progressLine(data));
}
