// Imports by the datasets that they make, and how far they are.

import { jobLine } from "./job_line.js";
import { FINAL } from "./parts.js";
import { ask } from "./service.js";
import { writeNew } from "./written.js";

const SHOWN = 5;

export const readImports = async () => (await ask(`/jobs?kind=import&limit=${SHOWN}`)).items;

export const importName = ({ id, dataset }) => (dataset ? `Import of ${dataset}` : `Import ${id}`);

// As items of the list with that id. It is read aloud whenever it is written.
export function listImports(id, jobs) {
  writeNew(id, jobs, (place) => place.replaceChildren(...jobs.map((job) => jobLine(importName(job), job))));
}

// Those that go on, while there is no dataset at all; true where there are any.
export async function showAwaitedImports(id, isBare) {
  const jobs = isBare ? (await readImports()).filter(({ state }) => !FINAL.has(state)) : [];
  listImports(id, jobs);
  return jobs.length > 0;
}
