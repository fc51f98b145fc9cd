// The import that an upload has become, until its dataset is there.

import { importName } from "../frame/imports.js";
import { byId, datasetLink, FINAL, make, progressLine } from "../frame/parts.js";
import { ask, reasonOf } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { waitsFor } from "../frame/waiting.js";

let shown = null;

export async function showImport(id) {
  shown = id;
  await refreshImport();
}

export function leaveImport() {
  shown = null;
  want("import", false);
}

export async function refreshImport() {
  const id = shown;
  if (id === null) return;
  const job = await ask(`/jobs/${id}`);
  if (id !== shown) return;
  want("import", !FINAL.has(job.state));
  byId("importing").hidden = false;
  byId("importing").replaceChildren(...lines(job));
}

function lines(job) {
  const { state, dataset, progress, error, waiting } = job;
  if (state === "succeeded") return [make("p", { class: "verdict" }, "Imported", ...(dataset ? [": ", datasetLink(dataset)] : []), ".")];
  if (error) return [make("p", { class: "bad" }, `The import has failed. ${reasonOf(error)}`)];
  if (progress) return [make("p", {}, `${importName(job)}: `, ...progressLine(progress, state))];
  return [make("p", {}, `${importName(job)} is ${state}`, ...(waiting ? [": ", ...waitsFor(waiting)] : []), ".")];
}
