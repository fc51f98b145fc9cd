// What a queued job waits for, in the sentences of the command (cli/waiting.py).

import { counted, runLink, words } from "./parts.js";
import { duration } from "./times.js";

const NOT_BUSY = {
  no_worker: ({ lane }) => `no worker of the ${lane} lane runs`,
  starting: () => "about to start",
  resting: () => "tried again in a moment, as its last attempt broke off",
  unpublished: () => "the broker has not been told of it yet; the repair process will",
};

// Words and links; nothing where the job does not wait.
export function waitsFor(waiting) {
  if (!waiting) return [];
  const { reason, behind, ahead } = waiting;
  if (reason !== "busy") return [NOT_BUSY[reason]?.(waiting) ?? words(reason)];
  if (!behind) return [`behind ${counted(ahead, "other")}`];
  const run = behind.run === null ? [] : [", ", runLink(behind.run)];
  return [`behind job ${behind.job} (${behind.kind}`, ...run, `)${leftOf(behind)}${ahead ? `; ${ahead} more ahead` : ""}`];
}

function leftOf({ state, eta_seconds: left }) {
  if (state === "cancelling") return ", which is being cancelled";
  return left === null ? "" : `, about ${duration(left)} left`;
}
