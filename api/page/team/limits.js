// What who looks may take of the service, and has taken.

import { byId, make, size } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { writeNew } from "../frame/written.js";

const COUNTED_BY = {
  key: "counted by the key",
  page: "counted for this browser, apart from programs that send the key itself",
  address: "counted by your address",
};
const NUMBER = new Intl.NumberFormat("en");

export async function showLimits() {
  const limits = await ask("/limits");
  // With each look another request is taken.
  const about = { ...limits, requests: limits.requests && { ...limits.requests, left: 0 } };
  writeNew("limits", about, (place) => place.replaceChildren(...rowsOf(limits)));
  if (limits.requests) showLeft(limits.requests);
}

function rowsOf({ requests, jobs, bytes }) {
  const stored = bytes.datasets + bytes.uploads;
  return [
    row("Requests", requests ? null : "not counted", requests ? COUNTED_BY[requests.counted_by] : "", requests ? { id: "limit-requests" } : {}),
    row("Jobs that wait or run", `${NUMBER.format(jobs.queued + jobs.running)} of ${NUMBER.format(jobs.most)}`, `${NUMBER.format(jobs.queued)} queued, ${NUMBER.format(jobs.running)} running`, {}, [jobs.queued + jobs.running, jobs.most]),
    row("Stored", `${size(stored)} of ${size(bytes.most)}`, `${size(bytes.datasets)} of datasets, ${size(bytes.uploads)} of uploads`, {}, [stored, bytes.most]),
  ];
}

function row(name, said, note, options = {}, share = null) {
  const bar = share === null ? [] : [make("meter", { min: 0, max: share[1], value: Math.min(...share), "aria-label": name })];
  return make("div", { class: "limit" }, make("dt", {}, name), make("dd", {}, make("span", options, said ?? ""), make("span", { class: "quiet" }, note), ...bar));
}

function showLeft({ left, most }) {
  byId("limits").querySelector("#limit-requests").textContent = `${NUMBER.format(left)} of ${NUMBER.format(most)} a minute left`;
}
