// What searches for a learning rate suggest, with the spread of their sweeps, or why they suggest nothing.

import { cell, counted, make, rate, words } from "../frame/parts.js";
import { ask, sentence } from "../frame/service.js";
import { writeNew } from "../frame/written.js";

const MEANT = {
  agree: "The sweeps agree",
  weak: "The sweeps agree weakly",
  none: "The sweeps give no rate",
};
const EXPLAINED = { minimum: "minimum/10 (a tenth of the rate at the lowest loss)" };

export async function showRates(run, still) {
  const query = (phase) => (run.kind === "train" ? `?phase=${phase}` : "");
  const found = await Promise.all(run.rate_searches.map((phase) => ask(`/runs/${run.id}/lr-find${query(phase)}`)));
  if (still()) writeNew("rates", [run.kind, found], (place) => place.replaceChildren(...found.map((one) => tableOf(one, run))));
}

function tableOf(found, run) {
  const where = run.kind === "lr_find" ? "" : `, before phase ${found.phase + 1}`;
  const used = found.rate === null ? "“auto” has no rate here." : `“auto” takes ${rate(found.rate)}.`;
  const why = found.agreement_reason ? `: ${found.agreement_reason}` : "";
  const said = sentence(`${MEANT[found.agreement] ?? found.agreement}${why}`);
  const sweeps = found.sweeps.length ? `${counted(found.sweeps.length, "sweep")}, body ${found.freeze ? "frozen" : "unfrozen"}. ` : "";
  const head = ["Suggestion", "Rate", "Spread, decades"].map((name) => make("th", { scope: "col", class: name === "Suggestion" ? null : "number" }, name));
  const rows = Object.entries(found.suggestions).map(([name, value]) => make("tr", {},
    cell(EXPLAINED[name] ?? words(name)), make("td", value === null ? {} : { class: "number" }, value === null ? noRate(found, name) : rate(value)),
    cell(found.spread_decades[name]?.toFixed(2) ?? "–", true)));
  const advice = found.advice ? make("p", {}, sentence(found.advice)) : "";
  return make("div", {}, make("h3", {}, `Suggested learning rates${where}`), make("p", { class: "quiet" }, `${sweeps}${said} ${used}`), advice,
    make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))));
}

// A reason that stands above the table already is not said once more.
function noRate({ reasons, agreement_reason: above }, name) {
  const reason = reasons[name] ?? "no reason is on record";
  return reason === above ? "none, as said above" : `none: ${reason}`;
}
