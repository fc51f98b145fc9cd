// A job of the queue as an item of a list, with what can be done about it.

import { addressOf } from "../frame/address.js";
import { make, progressLine, runLink, whileBusy, words } from "../frame/parts.js";
import { reasonOf } from "../frame/service.js";
import { duration, localTime, shortTime } from "../frame/times.js";
import { waitsFor } from "../frame/waiting.js";

const KINDS = { lr_find: "find a rate" };
const RESUMED = new Set(["failed", "cancelled"]);

export const kindOf = (kind) => KINDS[kind] ?? words(kind);

// Where everybody is the same one, it need not be said.
const whose = (owner) => (owner === "local" ? [] : [make("span", { class: "quiet" }, `by ${owner}`)]);

// What an import makes is named, as a run is.
function about({ id, kind, run, state, owner, dataset }, ...more) {
  const trials = kind === "search" ? [make("a", { href: addressOf(`searches/${id}`) }, "its trials")] : [];
  const parts = [make("strong", {}, `Job ${id}`), `${kindOf(kind)}${dataset ? ` of ${dataset}` : ""}`, ...(run === null ? [] : [runLink(run)]), ...trials];
  return make("div", { class: "about" }, ...parts, make("span", { class: "tag", "data-state": state }, state), ...whose(owner), ...more);
}

// Its key lets the focus stay with it when the list is written again.
function button(job, verb, label, style, act) {
  const options = { type: "button", class: style, "data-key": `${verb}-${job.id}`, "aria-label": `${label} job ${job.id}` };
  return make("button", { ...options, on: { click: ({ target }) => whileBusy(target, () => act(job, verb)) } }, label);
}

const cancel = (job, act) => (job.state === "cancelling" ? "" : button(job, "cancel", "Cancel", "danger", act));

// `worker` is the one that has it in hand, where it is known.
export function heldItem(job, worker, act) {
  const where = worker ? `on ${worker.device ?? worker.name}` : "";
  const line = make("div", { class: "more", id: `at-${job.id}`, "data-state": job.state }, ...progressLine(job.progress ?? {}, job.state));
  return make("li", { class: "card", "data-job": job.id }, about(job, make("span", { class: "quiet" }, where)), line, cancel(job, act));
}

export function waitingItem(job, act) {
  return make("li", { class: "card", "data-job": job.id }, about(job),
    make("div", { class: "more quiet" }, "Waits: ", ...waitsFor(job.waiting)), cancel(job, act));
}

export function doneItem(job, act) {
  const { state, error, finished_at: ended, started_at: begun } = job;
  const took = begun && ended ? `, took ${duration((Date.parse(ended) - Date.parse(begun)) / 1000)}` : "";
  const when = make("span", { class: "quiet" }, make("time", { datetime: ended, title: localTime(ended) }, shortTime(ended)), took);
  const why = state === "failed" && error ? [make("div", { class: "more bad" }, reasonOf(error))] : [];
  return make("li", { "data-job": job.id }, about(job, when), ...why, RESUMED.has(state) ? button(job, "resume", "Resume", "secondary", act) : "");
}

// It has come on; what it waits for, or whether it has ended, tells the next look.
export function setProgress(id, progress) {
  const line = document.getElementById(`at-${id}`);
  line?.replaceChildren(...progressLine(progress, line.dataset.state));
}
