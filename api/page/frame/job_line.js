// A job in one line.

import { FINAL, make, progressLine } from "./parts.js";
import { reasonOf } from "./service.js";
import { waitsFor } from "./waiting.js";

// What is to be said of a job that has not succeeded.
export function jobLine(name, { state, progress, error, waiting }) {
  const about = error ? `: ${reasonOf(error)}` : "";
  const line = make("li", { class: state === "failed" ? "bad" : null }, `${name} ${state}${about}`);
  if (progress && !FINAL.has(state)) line.append(": ", ...progressLine(progress, state));
  else if (waiting) line.append(", ", ...waitsFor(waiting));
  return line;
}
