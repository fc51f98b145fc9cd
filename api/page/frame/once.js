// A job that is asked for again since the answer to the first request never came is that job, not a second one.

import { ask } from "./service.js";

const BYTES = 16;
const keys = new Map();

// Plain http to another machine has no crypto.randomUUID.
const newKey = () => [...crypto.getRandomValues(new Uint8Array(BYTES))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// As `ask`, with a POST. `about` is all that makes it this job: where the body is no text, the caller says it.
export async function askOnce(path, options, about = options.body) {
  const same = JSON.stringify([path, about]);
  const key = keys.get(same) ?? newKey();
  keys.set(same, key);
  try {
    const answer = await ask(path, { ...options, headers: { ...options.headers, "Idempotency-Key": key } });
    keys.delete(same);
    return answer;
  } catch (error) {
    if (!error.isAway) keys.delete(same);
    throw error;
  }
}
