// What webhooks were told, in words.

import { counted, make, timeTag } from "../frame/parts.js";

// The sentences of the command (cli/webhooks.py).
const WHY = {
  gone: "the receiver had said that it is gone (410)",
  lost: "its last try was lost with the process that made it",
  host_not_allowed: "PEDIGREE_WEBHOOK_HOSTS of the repair process does not list the host",
  no_answer: "the connection ended before an answer",
  timeout: "no answer within 10 s",
  tls_failed: "the certificate cannot be believed, or no TLS is spoken there",
  unreachable: "nobody listens there, or the name is not known",
};

// "a test, taken (200), 21:12"; bad where it was not taken.
export function deliveryLine(delivery, tag = "li") {
  const { event, job, created_at: at } = delivery;
  const what = event === "webhook.test" ? "a test" : `${event} of job ${job}`;
  return make(tag, { "data-delivery": delivery.state }, `${what}, `, ...cameOf(delivery), " ", make("span", { class: "quiet" }, timeTag(at)));
}

function cameOf({ state, status, error, attempts, next_try_at: next }) {
  const answer = status === null ? WHY[error] ?? null : `the answer was ${status}`;
  if (state === "delivered") return [`taken (${status})`];
  if (state === "failed") return [make("span", { class: "bad" }, `not taken: ${answer ?? "it was not sent"}`)];
  if (answer === null) return [attempts ? "being sent" : "waits to be sent"];
  return [make("span", { class: "bad" }, `not taken yet: ${answer}`), `; ${counted(attempts, "try", "tries")} so far, again `, ...(next === null ? ["soon"] : [timeTag(next)])];
}
