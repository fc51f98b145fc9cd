// A part is written where what it shows has changed: one that is written anew loses focus, selection and what was unfolded.

import { byId } from "./parts.js";

const shown = new Map();

// `about` is all that the part with that id is made of; `write` writes it.
export function writeNew(id, about, write) {
  const now = JSON.stringify(about);
  if (shown.get(id) === now) return;
  shown.set(id, now);
  write(byId(id));
}

export function clear(id) {
  shown.delete(id);
  byId(id).replaceChildren();
}
