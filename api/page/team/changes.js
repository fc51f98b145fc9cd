// The record of changes: who changed what, from what to what, when and from where. What is chosen stands in the address.

import { amend, here, placeOf } from "../frame/address.js";
import { firstOf } from "../frame/listed.js";
import { byId, fill, make } from "../frame/parts.js";
import { tell } from "../frame/service.js";
import { localTime } from "../frame/times.js";
import { writeNew } from "../frame/written.js";

const PAGE = 25;
const MOST_LETTERS = 200;
const MOST_OF_ID = 8;
const TYPED = ["who", "target"];
const DAYS = ["since", "until"];
// What a click in the table adds, by its name there.
const CLICKED = { operation: "operation", request_id: "request" };

let wanted = PAGE;

export function prepareChanges(after) {
  byId("changes-filters").onsubmit = (event) => event.preventDefault();
  byId("changes-filters").onchange = ({ target }) => choose({ [target.name]: target.value.trim() });
  byId("changes-clear").onclick = () => choose(Object.fromEntries([...TYPED, ...DAYS, ...Object.keys(CLICKED)].map((name) => [name, null])));
  byId("more-changes").onclick = () => {
    wanted += PAGE;
    tell("view", after());
  };
}

function choose(values) {
  wanted = PAGE;
  amend(values);
}

export async function showChanges() {
  const { query } = placeOf();
  showChosen(query);
  const asked = askedBy(query);
  const { items, isAll } = await firstOf("/audit", wanted, asked);
  // Something else is chosen by now.
  if (String(askedBy(placeOf().query)) !== String(asked)) return;
  byId("changes-wait").hidden = true;
  byId("changes").hidden = items.length === 0;
  byId("no-changes").hidden = items.length > 0 || asked.size > 0;
  byId("no-such-changes").hidden = items.length > 0 || asked.size === 0;
  byId("more-changes").hidden = isAll;
  writeNew("changes", [items, String(query)], () => fill("changes", items.map(row)));
}

// As the service takes it: a day is from its first moment to its last, here.
function askedBy(query) {
  const asked = new URLSearchParams();
  for (const name of [...TYPED, ...Object.keys(CLICKED)]) if (query.get(name)) asked.set(name, query.get(name));
  for (const name of DAYS) {
    const day = dayOf(query.get(name));
    if (!day) continue;
    const moment = new Date(`${day}T00:00`);
    if (name === "until") moment.setDate(moment.getDate() + 1);
    asked.set(name, moment.toISOString());
  }
  return asked;
}

const dayOf = (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text ?? "") && !Number.isNaN(Date.parse(text)) ? text : "");

// The input that somebody types in stays as it is.
function showChosen(query) {
  for (const input of byId("changes-filters").querySelectorAll("[name]")) {
    const chosen = DAYS.includes(input.name) ? dayOf(query.get(input.name)) : query.get(input.name) ?? "";
    if (input !== document.activeElement) input.value = chosen;
  }
  const chosen = Object.keys(CLICKED).filter((name) => query.get(name));
  byId("changes-chosen").hidden = chosen.length === 0;
  writeNew("changes-chosen", chosen.map((name) => query.get(name)), (place) => place.replaceChildren(...chosen.map((name) => chip(name, query.get(name)))));
}

function chip(name, value) {
  const label = `${CLICKED[name]}: ${value}`;
  return make("button", { type: "button", class: "chip", "aria-label": `${label}. Remove this filter`, on: { click: () => choose({ [name]: null }) } },
    label, make("span", { "aria-hidden": true }, " ×"));
}

const narrows = (name, value, title, text = value) => make("a", { href: here({ [name]: value }), title }, text);

const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);

function row({ id, changed_at: at, who, operation, target, before, after, address, request_id: request }) {
  return make("tr", { "data-change": id },
    make("td", {}, make("time", { datetime: at }, localTime(at))),
    make("td", { "data-label": "by" }, narrows("who", who, "Only changes by this key")),
    make("td", { class: "what" }, narrows("operation", operation, "Only changes of this kind"), make("br"), narrows("target", target, "Only changes of this")),
    make("td", { class: "steps" }, ...stepsOf(before ?? {}, after ?? {})),
    make("td", { class: "where", "data-label": "from" }, address ?? "not known", ...(request === null ? [] : [make("br"), "request ", narrows("request_id", request, `Only what request ${request} changed`, cut(request, MOST_OF_ID))])));
}

function stepsOf(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => (before[name] ?? after[name] ?? null) !== null);
  return names.map((name) => make("div", {}, make("span", { class: "quiet" }, `${name} `), stepOf(before, after, name)));
}

function stepOf(before, after, name) {
  const [was, is] = [before, after].map((state) => valueOf(state[name] ?? null));
  if (was === is || was === null) return is;
  return `${was} → ${is ?? "–"}`;
}

function valueOf(value) {
  if (value === null) return null;
  const isList = Array.isArray(value) && value.every((one) => typeof one !== "object");
  return cut(isList ? value.join(", ") : typeof value === "string" ? value : JSON.stringify(value), MOST_LETTERS);
}
