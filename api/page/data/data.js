// The datasets, adding photos, and the imports that have not succeeded.

import { addressOf } from "../frame/address.js";
import { listImports, readImports } from "../frame/imports.js";
import { allDatasets } from "../frame/listed.js";
import { byId, cell, counted, datasetLink, drawnTag, fill, FINAL, make } from "../frame/parts.js";
import { want } from "../frame/stream.js";
import { localTime, shortTime } from "../frame/times.js";
import { prepareAdding, showAsked, showUpload } from "./adding.js";
import { leaveImport, refreshImport } from "./importing.js";

// More photos of one breed than so many times another's: what is rare is learned badly.
const UNEVEN = 3;

let question = 0;

async function showDatasets() {
  const number = ++question;
  const [items, imports] = await Promise.all([allDatasets(), readImports(), refreshImport()]);
  // Another view has come, or it was asked anew.
  if (number !== question || byId("view-data").hidden) return;
  const focused = document.activeElement?.closest("#datasets") && document.activeElement.dataset.dataset;
  byId("no-datasets").hidden = items.length > 0;
  byId("datasets").hidden = items.length === 0;
  fill("datasets", items.map(row));
  if (focused) document.querySelector(`#datasets [data-dataset="${CSS.escape(focused)}"]`)?.focus();
  showAsked(imports);
  want("imports", imports.some(({ state }) => !FINAL.has(state)));
  listImports("imports", imports.filter(({ state }) => state !== "succeeded"));
}

function row(one) {
  return make("tr", {}, make("td", {}, datasetLink(one.name), " ", drawnTag(one.drawn)),
    make("td", { class: "number", title: one.revision }, one.revision_number), cell(one.items, true), cell(one.breeds, true),
    make("td", {}, balance(one)), make("td", { class: "number" }, runsOf(one)),
    cell(make("time", { datetime: one.created_at, title: localTime(one.created_at) }, shortTime(one.created_at))));
}

const runsOf = ({ name, runs }) => (runs ? make("a", { href: addressOf("runs", { dataset: name }), "aria-label": `${counted(runs, "run")} with ${name}` }, runs) : "0");

function balance({ fewest, most }) {
  if (fewest === null) return "–";
  if (fewest === most) return `${most} each`;
  const tag = most > UNEVEN * fewest ? make("span", { class: "tag", title: `The largest breed has ${(most / fewest).toFixed(1)} times the photos of the smallest` }, "uneven") : "";
  return make("span", {}, `${fewest} to ${most} `, tag);
}

let isPrepared = false;

async function open() {
  if (!isPrepared) prepareAdding(showDatasets);
  isPrepared = true;
  await Promise.all([showUpload(), showDatasets()]);
}

export const data = {
  title: () => "Data",
  open,
  turn: showUpload,
  refresh: showDatasets,
  close() {
    question += 1;
    leaveImport();
    want("imports", false);
  },
};
