// The settings of the runs beside each other; those that differ are marked.

import { amend, placeOf } from "../frame/address.js";
import { byId, counted, fill, make, rate, revisionName } from "../frame/parts.js";

const RATES = /(^|\.)(lr_max|base_lr|start_lr|end_lr)$/;
const REVISION = "dataset.revision";
const PHASE = /^phases\.(\d+)\./;

export function prepareSettings() {
  byId("all-settings").addEventListener("change", ({ target }) => amend({ all: target.checked ? "1" : null }));
}

export function showSettings({ runs, settings }) {
  const isAll = placeOf().query.has("all");
  const differing = settings.filter((row) => row.differs);
  byId("all-settings").checked = isAll;
  const shown = isAll ? settings : differing;
  const same = settings.length - differing.length;
  byId("same-settings").hidden = isAll;
  byId("same-settings").textContent = differing.length
    ? `${counted(differing.length, "field differs", "fields differ")}; ${same} are the same.`
    : "All their settings are the same.";
  byId("beside").hidden = shown.length === 0;
  const heads = ["Field", ...runs.map((run) => `Run ${run.id}`)].map((name) => make("th", { scope: "col" }, name));
  byId("beside").querySelector("thead tr").replaceChildren(...heads);
  fill("beside", shown.map((row) => settingRow(row, runs, isAll)));
}

function settingRow({ field, values, differs }, runs, isMarked) {
  const name = field.replace(PHASE, (_, number) => `phase ${Number(number) + 1} · `);
  const mark = differs && isMarked ? make("span", { class: "tag" }, "differs") : "";
  return make("tr", { class: differs ? "differs" : null, "data-field": field },
    make("th", { scope: "row" }, name, " ", mark), ...values.map((value, number) => make("td", {}, field === REVISION ? revisionName(runs[number].dataset) : textOf(field, value))));
}

function textOf(field, value) {
  if (value === null) return "–";
  if (RATES.test(field) && Array.isArray(value)) return value.map(rate).join(" / ");
  if (RATES.test(field) && typeof value === "number") return rate(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
