// The workers that live, their devices, and what each has in hand.

import { byId, make, runLink, words } from "../frame/parts.js";
import { shortTime } from "../frame/times.js";
import { kindOf } from "./items.js";

const GIB = 2 ** 30;

export const gib = (bytes) => `${bytes / GIB < 10 ? (bytes / GIB).toFixed(1) : Math.round(bytes / GIB)} GiB`;

export function showWorkers(workers) {
  byId("workers").replaceChildren(...workers.map(card));
  byId("no-workers").hidden = workers.length > 0;
}

function card({ name, lanes, device, device_kind: kind, memory_bytes: memory, job }) {
  const tags = lanes.map((lane) => make("span", { class: "tag" }, lane));
  const what = [{ gpu: "GPU", cpu: "processor" }[kind], memory === null ? null : `${gib(memory)} memory`].filter(Boolean).join(", ");
  return make("li", { class: "card", "data-worker": name },
    make("strong", {}, device ?? "Device not known"), make("span", { class: "quiet" }, what),
    make("span", {}, ...(job ? held(job) : ["Free"])), make("span", { class: "quiet" }, name, " ", ...tags));
}

function held({ job, kind, run, state, since, progress }) {
  const stage = state === "cancelling" ? ", being cancelled" : progress?.stage ? `, ${words(progress.stage)}` : "";
  const from = since === null ? "" : ` since ${shortTime(since)}`;
  return [`Job ${job}: ${kindOf(kind)} `, ...(run === null ? [] : [runLink(run)]), `${from}${stage}`];
}
