// Pieces that every part of the page is made of; text is set as text, never as markup.

import { addressOf } from "./address.js";
import { duration, localTime, shortTime } from "./times.js";

export const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const IN_EPOCHS = new Set(["train", "validate"]);

export const byId = (id) => document.getElementById(id);
export const words = (name) => name.replaceAll("_", " ");
// The number and its sign stay on one line.
export const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`);
export const decimal = (value) => (value === null ? "–" : value.toFixed(4));
export const rate = (value) => (value === null ? "–" : value.toExponential(1).replace(".0e", "e").replace("e+0", ""));
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

// Of bytes, in the units that the service and the command tell them in.
export function size(bytes) {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** step;
  return `${step ? value.toFixed(1) : value} ${UNITS[step]}`;
}

export function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// Pressed again while the work goes on, a button would do it twice.
export async function whileBusy(button, work) {
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
  }
}

export const cell = (content, number = false) => make("td", number ? { class: "number" } : {}, content);

// One whose column is named beside it where its row is a card.
export const labelled = (label, content, number = true) => make("td", { class: number ? "number" : null, "data-label": label }, content);

export function fill(table, rows) {
  byId(table).querySelector("tbody").replaceChildren(...rows);
}

// In short, and whole where somebody looks closer.
export const timeTag = (text) => make("time", { datetime: text, title: localTime(text) }, shortTime(text));

export function drawnTag(drawn) {
  return drawn ? make("span", { class: "tag drawn", title: "The project drew these pictures itself" }, "drawn sample") : "";
}

// Links that the page follows by itself (address.js); as addresses they open in another tab too.
export function runLink(id, text = `run ${id}`, options = {}) {
  return make("a", { href: addressOf(`runs/${id}`), ...options }, text);
}

// A revision by its number, with the beginning of its hash beside it.
export const revisionName = ({ revision_number: number, revision }) => `revision ${number} (${revision.slice(0, 12)})`;

export function datasetLink(name) {
  return make("a", { href: addressOf(`data/${name}`), "data-dataset": name }, name);
}

function timeLeft({ eta_seconds: whole, stage_eta_seconds: stage }) {
  const left = whole ?? stage;
  if (left === null || left === undefined) return "";
  return `, ${duration(left)} left${whole === left ? "" : " of this stage"}`;
}

// What it would still take says nothing of one that is being cancelled.
export function progressLine(at, state = "running") {
  const stage = words(at.stage ?? "");
  if (!at.steps) return [stage];
  const epoch = at.epochs && IN_EPOCHS.has(at.stage) ? `, phase ${at.phase + 1}, epoch ${at.epoch + 1} of ${at.epochs}` : "";
  const label = `${stage} ${at.step}/${at.steps}`;
  return [make("progress", { max: at.steps, value: at.step, "aria-label": label }), ` ${label}${epoch}${state === "cancelling" ? "" : timeLeft(at)}`];
}
