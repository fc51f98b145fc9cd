// The queue, by lane: what runs, what waits for what, what has ended; and the workers.

import { amend, placeOf } from "../frame/address.js";
import { byId, counted, FINAL, make } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { writeNew } from "../frame/written.js";
import { doneItem, heldItem, setProgress, waitingItem } from "./items.js";
import { showWorkers } from "./workers.js";

const PAGE = 20;
const MOST = 200;
const UNDER_WAY = ["running", "cancelling", "queued"];
const LANES = { train: "Training lane", light: "Light lane" };
const ABOUT = { train: "train, find a rate, interpret, forecast, predict, search", light: "imports" };

let asked = 0;

const chosen = () => {
  const { query } = placeOf();
  const count = Number(query.get("shown"));
  return { kind: query.get("kind") ?? "", state: query.get("state") ?? "", shown: count >= PAGE && count <= MOST ? Math.trunc(count) : PAGE };
};

async function read(state, { kind, shown }) {
  const limit = FINAL.has(state) ? shown : MOST;
  const query = new URLSearchParams({ state, limit, ...(kind ? { kind } : {}) });
  return ask(`/jobs?${query}`);
}

async function refreshJobs() {
  const question = ++asked;
  const filter = chosen();
  const states = [...UNDER_WAY, ...FINAL].filter((state) => !filter.state || filter.state === state);
  const [workers, ...pages] = await Promise.all([ask("/workers"), ...states.map((state) => read(state, filter))]);
  if (question !== asked) return;
  const of = (wanted) => pages.filter((_, number) => wanted(states[number])).flatMap(({ items }) => items);
  const underWay = of((state) => !FINAL.has(state));
  const done = of((state) => FINAL.has(state)).sort((a, b) => Date.parse(b.finished_at) - Date.parse(a.finished_at));
  const isMore = done.length > filter.shown || pages.some((page, number) => FINAL.has(states[number]) && page.next_cursor);
  want("jobs", underWay.length > 0);
  const write = () => {
    showFilter(filter);
    showLanes(underWay, workers.items, filter);
    showWorkers(workers.items);
    showDone(done.slice(0, filter.shown), isMore && filter.shown < MOST, filter);
  };
  writeNew("jobs-lanes", [filter, workers, pages], () => keepFocus(write));
}

// What is written again has other elements: the focus goes to the one that stands for the same.
function keepFocus(write) {
  const key = document.activeElement?.dataset.key;
  write();
  if (key) document.querySelector(`#view-jobs [data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

function showFilter({ kind, state }) {
  byId("jobs-kind").value = kind;
  byId("jobs-state").value = state;
}

function showLanes(jobs, workers, { state }) {
  const running = jobs.filter((job) => job.state !== "queued");
  const summary = `${running.length} at work, ${jobs.length - running.length} waiting`;
  const place = byId("jobs-summary");
  if (place.textContent !== summary) place.textContent = summary;
  byId("jobs-lanes").hidden = FINAL.has(state);
  place.hidden = FINAL.has(state);
  byId("jobs-lanes").replaceChildren(...Object.keys(LANES).flatMap((lane) => laneParts(lane, jobs.filter((job) => job.lane === lane), workers)));
}

function laneParts(lane, jobs, workers) {
  const count = workers.filter(({ lanes }) => lanes.includes(lane)).length;
  const head = make("h3", {}, LANES[lane], make("span", { class: "quiet" }, `${counted(count, "worker")} · ${ABOUT[lane]}`));
  if (!jobs.length) return [head, make("p", { class: "quiet idle" }, "Nothing runs and nothing waits here.")];
  const first = (job) => (job.state === "queued" ? 1 : 0);
  // The queue's order: the list comes with the newest first.
  const ordered = [...jobs].sort((a, b) => first(a) - first(b) || (a.waiting?.ahead ?? 0) - (b.waiting?.ahead ?? 0) || a.id - b.id);
  const workerOf = (job) => workers.find((worker) => worker.job?.job === job.id);
  const items = ordered.map((job) => (job.state === "queued" ? waitingItem(job, act) : heldItem(job, workerOf(job), act)));
  return [head, make("ul", { class: "jobs" }, ...items)];
}

function showDone(jobs, isMore, { state }) {
  byId("jobs-ended").hidden = state !== "" && !FINAL.has(state);
  byId("jobs-done").replaceChildren(...jobs.map((job) => doneItem(job, act)));
  byId("no-done").hidden = jobs.length > 0;
  byId("more-jobs").hidden = !isMore;
}

// Cancel or resume, and show what has become of it.
async function act(job, verb) {
  const options = { method: "POST" };
  await tell(`job ${job.id}`, verb === "cancel" ? ask(`/jobs/${job.id}/cancel`, options) : ask(`/jobs/${job.id}/resume`, options));
  await tell("refresh", refreshJobs());
}

export const jobs = {
  title: () => "Jobs",
  open() {
    byId("jobs-kind").onchange = ({ target }) => amend({ kind: target.value, shown: null });
    byId("jobs-state").onchange = ({ target }) => amend({ state: target.value, shown: null });
    byId("more-jobs").onclick = () => amend({ shown: Math.min(MOST, chosen().shown + PAGE) });
    return refreshJobs();
  },
  turn: refreshJobs,
  refresh: refreshJobs,
  hear({ kind, job, data }) {
    if (kind === "progress") setProgress(job, data);
  },
  close() {
    asked += 1;
    want("jobs", false);
  },
};
