// A part is written where what it shows has changed: one that is written anew loses focus, selection and what was unfolded.

import { byId } from "./parts.js";

const shown = new Map();

// `about` is all that the part with that id is made of; `write` writes it. The focus goes to what has the same `data-key`.
export function writeNew(id, about, write) {
  const now = JSON.stringify(about);
  if (shown.get(id) === now) return;
  shown.set(id, now);
  const place = byId(id);
  const { key } = place.contains(document.activeElement) ? document.activeElement.dataset : {};
  write(place);
  if (key) place.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export function clear(id) {
  shown.delete(id);
  byId(id).replaceChildren();
}
