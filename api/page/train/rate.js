// A search for a rate beside the form: its curve, on which a click takes a rate, and its suggestions.

import { Board, runFigures } from "../frame/figures.js";
import { byId, FINAL, make, progressLine, rate, runLink, words } from "../frame/parts.js";
import { ask, reasonOf, sentence } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { waitsFor } from "../frame/waiting.js";

const NAMES = { minimum: "minimum/10" };
const board = new Board(byId("rate-figure"));
let shown = null;

export const isSearching = () => shown !== null && !FINAL.has(shown.state);

export function hideSearch() {
  shown = null;
  byId("rate-search").hidden = true;
  board.place([]);
  want("search", false);
}

// `take` is given the rate that somebody chooses.
export async function showSearch(id, take) {
  const run = await ask(`/runs/${id}`);
  if (run.kind !== "lr_find") throw new Error(`Run ${id} is no search for a rate.`);
  shown = run;
  byId("rate-search").hidden = false;
  want("search", !FINAL.has(run.state));
  if (run.state === "succeeded") await showFound(run, take);
  else await showWay(run);
}

async function showWay(run) {
  const job = await ask(`/jobs/${run.job}`);
  byId("rate-offers").replaceChildren();
  board.place([]);
  if (job.error) say("The search failed: ", reasonOf(job.error));
  else if (job.state === "queued") say("The search waits: ", ...waitsFor(job.waiting));
  else if (job.state === "cancelled") say("The search was cancelled.");
  else say("Searching, ", runLink(run.id), ": ", ...progressLine(job.progress ?? {}));
}

const say = (...parts) => byId("rate-said").replaceChildren(...parts);

async function showFound(run, take) {
  const found = await ask(`/runs/${run.id}/lr-find`);
  if (shown !== run) return;
  const offers = Object.entries(found.suggestions).filter(([, value]) => value !== null);
  const why = found.agreement_reason ? ` ${sentence(found.agreement_reason)}` : "";
  say(...(offers.length ? ["Click the curve at a rate, or take a suggestion."] : [`The search suggests nothing.${why} A rate can still be taken from the curve.`]));
  byId("rate-offers").replaceChildren(...offers.map(([name, value]) => make("button", { type: "button", class: "secondary", on: { click: () => take(rounded(value)) } },
    `${NAMES[name] ?? words(name)}: ${rate(value)}`)));
  board.place(runFigures(run, false));
  await board.show();
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
  if (kind === "progress") say("Searching, ", runLink(shown.id), ": ", ...progressLine(data));
}
