// Measuring a few steps: its job is followed until it has ended.

import { byId, FINAL } from "../frame/parts.js";
import { ask, reasonOf } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { measure, sayFaults } from "./forecast.js";
import { form } from "./form.js";

let measuring = null;
let visit = 0;

// `say` is given what went wrong; `look` looks at the forecast anew.
export async function measureNow(body, say, look) {
  const now = visit;
  byId("measure").disabled = true;
  try {
    await follow(measure(body), say, look);
  } catch (error) {
    if (now !== visit) return;
    say(sayFaults(form(), error));
    byId("measure").disabled = false;
  }
}

export async function refreshMeasuring(say, look) {
  if (measuring !== null) await follow(ask(`/jobs/${measuring}`), say, look);
}

export function leaveMeasuring() {
  visit += 1;
  show(null);
}

async function follow(answer, say, look) {
  const now = visit;
  const job = await answer;
  if (now !== visit) return;
  show(FINAL.has(job.state) ? null : job.id);
  if (measuring !== null) return;
  if (job.error) say(reasonOf(job.error));
  await look(true);
}

function show(job) {
  measuring = job;
  want("measure", measuring !== null);
  byId("measure").textContent = measuring ? "Measuring…" : "Measure a few steps";
  byId("measure").disabled = measuring !== null;
}
