// What can be done with a run, by how it stands; what each does is said before it changes something.

import { addressOf } from "../frame/address.js";
import { confirmed } from "../frame/confirm.js";
import { byId, FINAL, make } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { promote, rollBack } from "../models/changes.js";
import { hearOfVersions, registered, say, showServed, versionLink } from "../models/served.js";
import { openDeletion } from "./deletion.js";
import { openEdit } from "./describe.js";

const PRODUCTION = "production";
const GOES_ON = new Set(["queued", "running"]);

let shown = null;
let job = null;
let again = () => null;
let asked = 0;
let isShown = false;

// What can be done however it stands. `renew` reads the run anew.
export function showOwnActions(run, renew) {
  byId("run-edit").onclick = () => openEdit(run, renew);
  byId("run-delete").onclick = () => openDeletion(run);
}

// `about` is the run's job where it has not succeeded.
export function showActions(run, about, renew) {
  const isSame = isShown && shown?.id === run.id && shown.state === run.state && job?.state === about?.state && job?.resumable === about?.resumable;
  [shown, job, again] = [run, about, renew];
  return isSame ? null : showSteps();
}

export function hideActions() {
  shown = job = null;
  isShown = false;
  asked += 1;
  byId("run-steps").replaceChildren();
}

hearOfVersions(() => { if (shown) tell("actions", showSteps()); });

const button = (text, act, kind = "secondary") => make("button", { type: "button", class: kind, on: { click: act } }, text);

async function showSteps() {
  const [run, about, question] = [shown, job, ++asked];
  isShown = false;
  const version = (await registered()).find((one) => one.run === run.id);
  const steps = version ? await stepsOfVersion(version) : [];
  if (question !== asked) return;
  isShown = true;
  const had = byId("run-steps").contains(document.activeElement) ? document.activeElement.textContent : null;
  byId("run-steps").replaceChildren(...stepsOfJob(run, about), ...stepsOfModel(run, version), ...steps);
  if (had !== null) focusOn([...byId("run-steps").children].find(({ textContent: text }) => text === had));
}

// The button that was pressed may be gone with what it did.
const focusOn = (step = byId("view-run")) => step.focus({ preventScroll: true });

function stepsOfJob(run, about) {
  if (GOES_ON.has(run.state)) return [button("Cancel", () => cancel(run))];
  return about?.resumable && run.state === "cancelled" ? [button("Resume", () => resume(run), null)] : [];
}

function stepsOfModel(run, version) {
  const hasModel = run.artifacts.some(({ name }) => name === "model.safetensors");
  const on = hasModel ? [make("a", { class: "button secondary", href: addressOf("train", { from: run.id }) }, "Continue from here")] : [];
  if (run.kind === "lr_find" && run.state === "succeeded") {
    on.push(make("a", { class: "button secondary", href: addressOf("train", { dataset: run.dataset.name, from: run.parent, search: run.id }) }, "Train with what it found"));
  }
  if (!hasModel || !FINAL.has(run.state)) return on;
  return version ? [...on, versionLink(version.version, `Version ${version.version}`)] : [...on, button("Register", () => register(run))];
}

async function stepsOfVersion({ version, aliases, canary_of: tried }) {
  if (!aliases.includes(PRODUCTION) && !tried.includes(PRODUCTION)) return [];
  const alias = await ask(`/models/aliases/${PRODUCTION}`);
  const after = async () => again();
  if (alias.canary?.version === version) return [button("Promote", () => promote(alias, after))];
  return alias.version === version && alias.before !== null
    ? [button(`Roll back to version ${alias.before}`, () => rollBack(alias, after))] : [];
}

// What is said stays until the run stands otherwise: it is said once the run is shown as it is now.
async function act(run, work, done) {
  let said = [done];
  try {
    await work;
  } catch (error) {
    said = [error.message, true];
  }
  await tell("run", again());
  if (shown?.id !== run.id) return;
  say(...said);
  if (document.activeElement === document.body) focusOn();
}

async function cancel(run) {
  const isQueued = run.state === "queued";
  const isMeant = await confirmed({
    title: `Cancel run ${run.id}?`,
    says: [isQueued ? "It has not begun. It can be resumed later." : "It stops after its step and keeps a checkpoint: it can be resumed from there."],
    act: "Cancel the run",
    isDangerous: true,
  });
  if (isMeant) await act(run, ask(`/jobs/${run.job}/cancel`, { method: "POST" }), isQueued ? "It is cancelled." : "It stops as soon as its step is done.");
}

export const resume = (run) => act(run, ask(`/jobs/${run.job}/resume`, { method: "POST" }), "It is queued again.");

async function register(run) {
  const body = JSON.stringify({ run: run.id });
  say("It is being registered …");
  const made = ask("/models", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  await act(run, made, "It is registered. An alias makes it answer.");
  await tell("served", showServed());
}
