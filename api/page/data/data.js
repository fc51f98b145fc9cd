// The datasets, and the imports that have not succeeded.

import { jobLine } from "../frame/job_line.js";
import { byId, cell, datasetLink, drawnTag, fill, FINAL, make } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { want } from "../frame/stream.js";

async function showDatasets() {
  const [{ items }, imports] = await Promise.all([ask("/datasets?limit=200"), ask("/jobs?kind=import&limit=5")]);
  const focused = document.activeElement?.closest("#datasets") && document.activeElement.dataset.dataset;
  byId("no-datasets").hidden = items.length > 0;
  byId("datasets").hidden = items.length === 0;
  fill("datasets", items.map((one) => make("tr", {},
    cell(datasetLink(one.name)), cell(one.items, true), cell(one.breeds, true), cell(one.drawn ? drawnTag(true) : "photos"),
    cell(make("code", { title: one.revision }, one.revision.slice(0, 12))))));
  if (focused) document.querySelector(`#datasets [data-dataset="${CSS.escape(focused)}"]`)?.focus();
  want("imports", imports.items.some(({ state }) => !FINAL.has(state)));
  byId("imports").replaceChildren(...imports.items.filter(({ state }) => state !== "succeeded")
    .map((job) => jobLine(`Import ${job.id}`, job)));
}

export const data = {
  title: () => "Data",
  open: showDatasets,
  refresh: showDatasets,
  close: () => want("imports", false),
};
