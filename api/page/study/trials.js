// The trials of a search as a table.

import { byId, make, runLink } from "../frame/parts.js";
import { writeNew } from "../frame/written.js";
import { spark } from "../runs/spark.js";
import { shownValue, soughtOf } from "./best.js";
import { shownSetting } from "./settings.js";

const UNDER_WAY = { queued: "waits", running: "trains", cancelling: "is being ended" };

export function showTrials({ asked }, { items }) {
  const names = Object.keys(asked.space);
  const hasTimes = asked.limits.answer_ms !== null;
  byId("no-trials").hidden = items.length > 0;
  byId("trials").hidden = items.length === 0;
  writeNew("trials", [names, items], (table) => {
    const heads = ["Trial", "Run", soughtOf(asked.objective), "What came of it", ...names, "Epochs", "By epoch", ...hasTimes ? ["Answers in"] : []];
    const isNumber = (head) => ["Epochs", "Answers in", soughtOf(asked.objective)].includes(head);
    table.querySelector("thead tr").replaceChildren(...heads.map((head) => make("th", { scope: "col", class: isNumber(head) ? "number" : null }, head)));
    table.querySelector("tbody").replaceChildren(...[...items].reverse().map((trial) => row(trial, names, asked.objective, hasTimes)));
  });
}

function row(trial, names, objective, hasTimes) {
  const number = (text) => make("td", { class: "number" }, text);
  return make("tr", { "data-trial": trial.trial, "aria-current": trial.best },
    make("td", {}, String(trial.trial)),
    make("td", {}, trial.run === null ? "–" : runLink(trial.run)),
    number(shownValue(objective, trial.value)),
    make("td", { class: "came" }, ...cameOf(trial)),
    ...names.map((name) => make("td", {}, shownSetting(trial.settings[name]))),
    number(String(trial.epochs)),
    make("td", {}, objective === "valid_loss" ? "" : spark(trial.curve.filter((value) => value !== null))),
    ...hasTimes ? [number(trial.answer_ms === null ? "–" : `${trial.answer_ms.toFixed(1)} ms`)] : []);
}

function cameOf({ best, outcome, state, reason, pruned_epoch: epoch }) {
  if (best) return [make("strong", {}, "the best")];
  if (outcome === null) return [UNDER_WAY[state] ?? "–"];
  if (outcome === "pruned") return [make("span", { class: "quiet" }, `ended early, after epoch ${epoch}`)];
  return [outcome, reason ? make("div", { class: "quiet reason" }, reason) : ""];
}
