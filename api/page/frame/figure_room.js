// How a figure uses the room that it has.

import { make } from "./parts.js";

const LEAST_WIDTH = 320;
const MOST_WIDTH = 1200;
const BORDERS = 2;
// Of a confusion matrix, in pixels: the room from which on it has its own size, a cell that shows its count, and names and axis.
const NARROW = 640;
const LEAST_CELL = 30;
const BESIDE_CELLS = 180;

// The query of a figure whose texts break to the room that there is. A confusion matrix keeps a size of its own, but where
// that has no room and its few cells can be read in less.
export function sized({ name, query, room, breeds }) {
  if (name === "confusion" && (room > NARROW || breeds * LEAST_CELL + BESIDE_CELLS > room)) return query;
  const width = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, room - BORDERS));
  return `${query}${query ? "&" : "?"}width=${width}`;
}

// The title of a figure that goes on sideways stands above it: inside, its end would be out of sight.
export function titleBeside({ place, room }, layout) {
  const isWide = layout.width > room;
  const title = place.querySelector(".sideways-title");
  title.hidden = !isWide;
  if (!isWide) return;
  const { title: name, subtitle } = layout.meta;
  title.replaceChildren(name, make("span", { class: "quiet" }, ` ${subtitle}`));
  layout.title = { text: "" };
  layout.height -= layout.margin.t;
  layout.margin.t = 0;
}
