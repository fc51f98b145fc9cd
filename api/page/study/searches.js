// Searches: a form that begins one, and those there are.

import { addressOf, amend, go, placeOf } from "../frame/address.js";
import { allDatasets } from "../frame/listed.js";
import { askOnce } from "../frame/once.js";
import { byId, counted, FINAL, make } from "../frame/parts.js";
import { ask, reasonOf, sentence } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { shortTime } from "../frame/times.js";
import { writeNew } from "../frame/written.js";
import { awayNote } from "../train/archs.js";
import { archsInReach, nearName } from "../train/near.js";
import { soughtOf, shownValue } from "./best.js";
import { lineFor, searchable, spaceOf } from "./vary.js";

const USUAL = { arch: "resnet34", epochs: "3", vary: "base_lr = 1e-4..1e-2 log", trials: "20", minutes: "60", pruner: "median", train_minutes: "", answer_ms: "" };
const LIMITS = ["train_minutes", "answer_ms"];
const SHOWN = 24;

let fields = [];
let archs = [];
let visit = 0;

const form = () => byId("search-form");
const value = (name) => form().elements[name].value.trim();
const numberOf = (name) => (value(name) === "" ? null : Number(value(name)));

async function show() {
  const now = ++visit;
  const [datasets, networks, config, jobs] = await Promise.all([allDatasets(), ...["/architectures", "/config", `/jobs?kind=search&limit=${SHOWN}`].map((path) => ask(path))]);
  if (now !== visit) return;
  fields = searchable(config.fields);
  archs = networks.items;
  showChoices("search-dataset", datasets.map(({ name }) => [name]), "Bring photos in first");
  showChoices("search-arch", archs.map(({ name, weights }) => [name, weights.in_reach ? name : `${name} (weights not here)`]));
  showChoices("search-add", [["", "a field…"], ...fields.map(({ name }) => [name])]);
  fill();
  showJobs(jobs.items);
}

// `choices` are of a value and what is read, where that is another.
function showChoices(id, choices, none = "") {
  const shown = choices.length ? choices : [["", none]];
  writeNew(id, shown, (select) => select.replaceChildren(...shown.map(([name, text = name]) => make("option", { value: name }, text))));
}

// What a field is at while nobody has chosen: every trial of a network without weights would fail.
const usual = (name) => (name === "arch" ? nearName(USUAL.arch, archs) : USUAL[name]);

// What is chosen stands in the address; the input that somebody types in stays as it is.
function fill() {
  const { query } = placeOf();
  for (const input of form().querySelectorAll("[name]")) {
    const chosen = query.get(input.name) ?? usual(input.name);
    if (chosen !== undefined && input !== document.activeElement) input.value = chosen;
  }
  byId("search-limits").open ||= LIMITS.some((name) => query.get(name));
  byId("search-start").disabled = !value("dataset");
  showAway();
}

function showAway() {
  const weights = archs.find(({ name }) => name === value("arch"))?.weights;
  byId("search-away").replaceChildren(...!weights || weights.in_reach ? [] : awayNote(weights));
}

// While it is typed: a line that goes as the button is pressed would move the button away below the mouse.
function forgive({ target }) {
  if (target.name) clearFault(target.name === "vary" ? "space" : target.name);
}

function keep({ target }) {
  if (!target.name) return;
  amend({ [target.name]: target.value === usual(target.name) ? null : target.value });
  showAway();
}

function add({ target }) {
  const field = fields.find(({ name }) => name === target.value);
  target.value = "";
  if (!field) return;
  const text = byId("search-vary");
  const lines = text.value.split("\n").filter((line) => line.trim());
  text.value = [...lines.filter((line) => line.split(/[=:]/)[0].trim() !== field.name), lineFor(field, archsInReach(archs))].join("\n");
  amend({ vary: text.value });
  text.focus();
}

function request() {
  const limits = Object.fromEntries(LIMITS.map((name) => [name, numberOf(name)]).filter(([, limit]) => limit !== null));
  const space = spaceOf(value("vary"));
  const config = { arch: value("arch"), epochs: numberOf("epochs") };
  // What varies is no part of what all trials have.
  const base = Object.fromEntries(Object.entries(config).filter(([name, chosen]) => !(name in space) && chosen !== null));
  return { kind: "search", dataset: value("dataset"), config: base, space, trials: numberOf("trials"), minutes: numberOf("minutes"), pruner: value("pruner"), limits };
}

async function begin(event) {
  event.preventDefault();
  const button = byId("search-start");
  if (button.disabled) return;
  button.disabled = true;
  for (const place of form().querySelectorAll("[data-error]")) place.textContent = "";
  byId("search-trouble").textContent = "";
  try {
    const job = await askOnce("/jobs", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request()) });
    go(addressOf(`searches/${job.id}`));
  } catch (error) {
    sayFault(error);
  } finally {
    button.disabled = false;
  }
}

// Beside the input that it is about, else above the button.
function sayFault({ message, problem, isAway }) {
  if (!problem) {
    (isAway ? byId("search-trouble") : faultOf("space")).textContent = message;
    return;
  }
  const faults = problem.errors?.length ? problem.errors : [problem];
  for (const fault of faults) {
    const [, name, ...inside] = (fault.field ?? "").split(".");
    const place = faultOf(name === "config" || name === "limits" ? inside[0] : name);
    const said = name === "space" && inside.length ? `${inside.join(".")}: ${[fault.detail, fault.hint].filter(Boolean).map(sentence).join(" ")}` : reasonOf(fault);
    (place ?? byId("search-trouble")).textContent = said;
  }
}

const faultOf = (name) => form().querySelector(`[data-error="${CSS.escape(name ?? "")}"]`);
const clearFault = (name) => faultOf(name)?.replaceChildren();

function showJobs(jobs) {
  byId("no-searches").hidden = jobs.length > 0;
  want("searches", jobs.some(({ state }) => !FINAL.has(state)));
  writeNew("searches", jobs.map(({ id, state, study }) => [id, state, study.counts, study.best]), (list) => list.replaceChildren(...jobs.map(card)));
}

function card({ id, state, created_at: created, study }) {
  const { best, asked, counts } = study;
  const made = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const came = best === null ? "nothing yet" : `${shownValue(asked.objective, best.value)} ${soughtOf(asked.objective)}`;
  return make("li", { class: "card" },
    make("div", { class: "row" }, make("a", { href: addressOf(`searches/${id}`) }, study.name ?? `Search ${id}`), make("span", { class: "tag", "data-state": state }, state)),
    make("strong", {}, came),
    make("div", { class: "quiet" }, `${made} of ${counted(asked.trials, "trial")} over ${Object.keys(asked.space).join(", ")}; ${shortTime(created)}`));
}

export const searches = {
  title: () => "Search settings",
  open() {
    form().onsubmit = begin;
    form().oninput = forgive;
    form().onchange = keep;
    byId("search-add").onchange = add;
    return show();
  },
  turn: fill,
  refresh: show,
  close() {
    visit += 1;
    want("searches", false);
  },
};
