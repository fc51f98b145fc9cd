// A job that is asked for again since the answer to the first request never came is that job, not a second one.

import { ask } from "./service.js";

const BYTES = 16;
// After that the same is asked for anew on purpose.
const KEPT_MS = 600_000;
const keys = new Map();

const nameOf = (path, about) => JSON.stringify([path, about]);
const keptKey = (name) => {
  const kept = keys.get(name);
  return kept && performance.now() - kept.since < KEPT_MS ? kept.key : null;
};

// Whether the same was asked for a while ago, and no answer came.
export const isUnanswered = (path, about) => keptKey(nameOf(path, about)) !== null;

// Plain http to another machine has no crypto.randomUUID.
const newKey = () => [...crypto.getRandomValues(new Uint8Array(BYTES))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// As `ask`, with a POST. `about` is all that makes it this job: where the body is no text, the caller says it.
export async function askOnce(path, options, about = options.body) {
  const same = nameOf(path, about);
  const key = keptKey(same) ?? newKey();
  keys.set(same, { key, since: performance.now() });
  try {
    const answer = await ask(path, { ...options, headers: { ...options.headers, "Idempotency-Key": key } });
    keys.delete(same);
    return answer;
  } catch (error) {
    if (!error.isAway) keys.delete(same);
    throw error;
  }
}
