// What the form chooses from: the service's datasets, networks and workers; and imports, while there are no photos yet.

import { showAwaitedImports } from "../frame/imports.js";
import { allDatasets } from "../frame/listed.js";
import { ask } from "../frame/service.js";
import { want } from "../frame/stream.js";

export const there = { datasets: [], archs: [], workers: [] };

export async function readThere() {
  const [datasets, archs, workers] = await Promise.all([allDatasets(), ask("/architectures"), ask("/workers")]);
  Object.assign(there, { datasets, archs: archs.items, workers: workers.items });
}

// isStill says whether it is the same visit of the view: what comes late for one that is over is dropped.
export async function showImports(isStill) {
  const isComing = await showAwaitedImports("train-imports", there.datasets.length === 0);
  if (isStill()) want("imports for training", isComing);
}

export async function readImported(isStill, show) {
  await showImports(isStill);
  const items = await allDatasets();
  if (!isStill()) return;
  there.datasets = items;
  if (!items.length) return;
  try {
    await Promise.all([show(), showImports(isStill)]);
  } catch (error) {
    // While there are none they are looked for.
    if (isStill()) there.datasets = [];
    throw error;
  }
}
