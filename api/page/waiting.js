// What a queued job waits for, in words; the command says the same.

import { counted, runLink, shortly, words } from "/parts.js";

const NOT_BUSY = {
  no_worker: "no worker that could take it is running",
  starting: "about to start",
  unpublished: "no worker has been told of it yet; that comes by itself",
};

// Words and links; nothing where the job does not wait.
export function waitsFor(waiting) {
  if (!waiting) return [];
  const { reason, behind, ahead } = waiting;
  if (reason !== "busy") return [NOT_BUSY[reason] ?? words(reason)];
  const others = ahead ? counted(ahead, "other job") : "";
  if (!behind) return [others ? `behind ${others}` : "behind a measurement for a forecast"];
  const held = behind.run === null ? `job ${behind.job} (${words(behind.kind)})` : runLink(behind.run);
  return ["behind ", held, leftOf(behind), others ? ` and ${others}` : ""];
}

function leftOf({ state, eta_seconds: left }) {
  if (state === "cancelling") return ", which is being cancelled,";
  return left === null ? "" : ` (about ${shortly(left)} left)`;
}
