// The view of a search over settings: how far it is, the best so far, its figures and its trials.

import { amend, placeOf } from "../frame/address.js";
import { Board } from "../frame/figures.js";
import { byId, counted, FINAL, make, progressLine, whileBusy, words } from "../frame/parts.js";
import { ask, reasonOf, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { duration } from "../frame/times.js";
import { clear, writeNew } from "../frame/written.js";
import { showAsked } from "./asked.js";
import { bestCard } from "./best.js";
import { showTrials } from "./trials.js";

const MEASURED = new Set(["done", "pruned"]);
const ENDED_BY = {
  trials: "all its trials were made",
  time: "its time was over",
  space: "all settings that there are were tried",
};

let number = null;
let boards = null;
let asked = 0;

async function show() {
  const question = ++asked;
  const [job, trials] = await Promise.all([ask(`/jobs/${number}`), ask(`/jobs/${number}/trials`)]);
  if (question !== asked) return;
  want("study", !FINAL.has(job.state));
  byId("study-parts").hidden = false;
  showJob(job);
  writeNew("study-asked", job.study.asked, () => showAsked(job.study));
  showTrials(job.study, trials);
  showSettings(Object.keys(job.study.asked.space));
  await showFigures(job, trials);
}

// What does not change stays as it is: a button keeps its focus.
function showJob(job) {
  const { id, study: found, state } = job;
  const write = (place, about, ...parts) => writeNew(place, [id, about], (host) => host.replaceChildren(...parts));
  write("study-title", [found.name, state], found.name ?? `Search ${id}`, " ", make("span", { class: "tag", "data-state": state }, state));
  write("study-facts", factsOf(job), ...factsOf(job));
  write("study-line", [state, job.progress, job.error], ...lineOf(job));
  write("study-best", [found.best, found.version, state], ...bestCard(job));
  write("study-acts", state, ...actsOf(job));
}

function factsOf({ id, study, state }) {
  const { counts, asked: plan } = study;
  const came = Object.entries(counts).filter(([, count]) => count).map(([outcome, count]) => `${count} ${words(outcome)}`);
  const made = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const time = `${duration(study.spent_seconds)} of ${duration(60 * plan.minutes)}`;
  const end = study.ended_by ? ` It ended because ${ENDED_BY[study.ended_by]}.` : "";
  return [`Job ${id}: ${made} of ${counted(plan.trials, "trial")}${came.length ? ` (${came.join(", ")})` : ""}, ${time}.${state === "succeeded" ? end : ""}`];
}

function lineOf({ state, progress, error, study }) {
  if (state === "failed" && error) return [make("span", { class: "bad" }, reasonOf(error))];
  if (state === "running" && progress) return [...progressLine(progress)];
  if (state === "queued") return ["It begins in a moment."];
  if (state === "cancelling") return ["Its trials are being stopped."];
  if (state === "cancelled") return [`Resume it, and it goes on for ${duration(Math.max(0, 60 * study.asked.minutes - study.spent_seconds))}.`];
  return [];
}

function actsOf({ state }) {
  if (state === "queued" || state === "running") return [button("Cancel", "cancel", "danger")];
  return state === "failed" || state === "cancelled" ? [button("Resume", "resume", "secondary")] : [];
}

function button(label, verb, style) {
  const act = async () => {
    const options = { method: "POST" };
    await tell("study act", verb === "cancel" ? ask(`/jobs/${number}/cancel`, options) : ask(`/jobs/${number}/resume`, options));
    await tell("refresh", show());
  };
  return make("button", { type: "button", class: style, on: { click: ({ target }) => whileBusy(target, act) } }, label);
}

function showSettings(names) {
  const select = byId("study-setting");
  writeNew("study-setting", names, () => select.replaceChildren(...names.map((name) => make("option", {}, name))));
  select.value = chosen(names);
}

function chosen(names) {
  const named = placeOf().query.get("by");
  return names.includes(named) ? named : names[0];
}

async function showFigures(job, { items }) {
  const hasSome = items.some(({ outcome, value }) => MEASURED.has(outcome) && value !== null);
  byId("study-no-figures").hidden = hasSome;
  const setting = encodeURIComponent(chosen(Object.keys(job.study.asked.space)));
  const path = `/jobs/${job.id}/figures`;
  const [trials, bySetting] = boards;
  trials.place(hasSome ? [{ name: "trials", path: `${path}/trials`, query: "" }] : []);
  bySetting.place(hasSome ? [{ name: "setting", path: `${path}/setting`, query: `?setting=${setting}` }] : []);
  await Promise.all(boards.map((board) => board.show()));
}

export const study = {
  title: ({ search }) => `Search ${search}`,
  open({ search }) {
    boards ??= ["trials-figure", "setting-figure"].map((id) => new Board(byId(id)));
    if (search !== number) {
      number = search;
      byId("study-parts").hidden = true;
      byId("study-title").textContent = `Search ${search}`;
      for (const id of ["study-acts", "study-line", "study-best", "study-facts"]) clear(id);
      byId("study-facts").textContent = "Reading the search…";
    }
    byId("study-setting").onchange = ({ target }) => amend({ by: target.value });
    return shownOrMissing();
  },
  turn: show,
  refresh: show,
  hear: ({ kind, job }) => kind === "trial" && job === number,
  close() {
    asked += 1;
    want("study", false);
  },
};

async function shownOrMissing() {
  try {
    await show();
  } catch (error) {
    if (byId("study-parts").hidden && !error.isAway) byId("study-facts").textContent = "There is no such search.";
    throw error;
  }
}
