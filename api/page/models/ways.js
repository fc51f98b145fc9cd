// How a version is run on each kind of machine, and what was measured to choose it.

import { byId, cell, labelled, make } from "../frame/parts.js";
import { localTime } from "../frame/times.js";

const COLUMNS = [["Way"], ["Images a second", true], ["ms an image", true], ["First breed the same", true], ["Largest difference", true], ["Photos", true], [""]];
const NONE = "How it is run was not chosen on any machine yet. Until then it is run in the exact way, as its validation was.";
const figure = (value, digits) => (value === null ? "–" : value.toFixed(digits));
const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)}\u00a0%`);

const said = ({ engine, precision, input, streams }) =>
  `${engine}, ${precision}, ${input} input${streams > 1 ? `, ${streams} at a time` : ""}`;

export function showWays(choices) {
  byId("ways").replaceChildren(...choices.length ? choices.map(choiceParts) : [make("p", { class: "quiet" }, NONE)]);
}

function choiceParts(choice) {
  const chosen = choice.way ? `Runs by ${said(choice.way)}.` : `Runs in the exact way, since nothing could be measured: ${choice.reason}.`;
  const about = make("p", { class: "quiet" }, `${choice.machine}, chosen ${localTime(choice.chosen_at)}`);
  return make("div", { class: "choice" }, make("p", {}, chosen), about, choice.candidates.length ? tableOf(choice) : "");
}

function tableOf({ way, candidates }) {
  const head = COLUMNS.map(([name, isNumber]) => make("th", { scope: "col", class: isNumber ? "number" : null }, name || make("span", { class: "unseen" }, "Verdict")));
  return make("details", { open: true }, make("summary", {}, "What was tried, on its own validation photos"),
    make("div", { class: "scroll", "aria-label": "Ways that were tried" },
      make("table", { class: "stacks" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...candidates.map((one) => row(one, way))))));
}

function verdictOf({ passed, photos }) {
  if (photos === 0) return "not compared";
  return passed ? "" : "differs too much";
}

function row(one, chosen) {
  const isChosen = JSON.stringify(one.way) === JSON.stringify(chosen);
  return make("tr", { "aria-current": isChosen ? "true" : null },
    cell(said(one.way)), ...[figure(one.images_per_second, 0), figure(one.latency_ms, 1), share(one.top1_equal), figure(one.most_moved, 4), one.photos]
      .map((value, number) => labelled(COLUMNS[number + 1][0], value)),
    cell(isChosen ? "chosen" : one.problem ?? verdictOf(one)));
}
