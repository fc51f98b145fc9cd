// A run's error rate after each epoch as a small line.

import { percent } from "../frame/parts.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 92;
const HEIGHT = 26;
const EDGE = 3;

function draw(tag, options) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(options)) node.setAttribute(name, value);
  return node;
}

// Nothing where no epoch has ended.
export function spark(rates) {
  if (!rates.length) return "";
  const [low, high] = [Math.min(...rates), Math.max(...rates)];
  const across = (number) => EDGE + (number * (WIDTH - 2 * EDGE)) / Math.max(1, rates.length - 1);
  // One that never changes lies in the middle.
  const up = (value) => HEIGHT - EDGE - (high > low ? (value - low) / (high - low) : 0.5) * (HEIGHT - 2 * EDGE);
  const points = rates.map((value, number) => `${across(number).toFixed(1)},${up(value).toFixed(1)}`);
  const last = rates.at(-1);
  const line = draw("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": said(rates) });
  line.append(draw("polyline", { points: points.join(" ") }), draw("circle", { cx: across(rates.length - 1), cy: up(last), r: 2.2 }));
  return line;
}

function said(rates) {
  const last = percent(rates.at(-1));
  if (rates.length === 1) return `Error rate after its only epoch so far: ${last}`;
  return `Error rate by epoch: from ${percent(rates[0])} to ${last}, lowest ${percent(Math.min(...rates))}`;
}
