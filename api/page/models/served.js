// The model that answers, and putting a run into its place.

import { addressOf } from "../frame/address.js";
import { confirmed } from "../frame/confirm.js";
import { byId, drawnTag, make, runLink } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { comparedRates } from "./replacing.js";

const LOADS = "The service loads the model …";

let production = null;
let isKnown = false;
let offered = null;
let busy = null;
let versions = [];
const hearers = [];

// Call `act` with the registered versions whenever something about them has changed.
export function hearOfVersions(act) {
  hearers.push(act);
}

// The newest of the registered versions.
export async function registered() {
  if (!isKnown) await showServed();
  return versions;
}

export async function showServed() {
  const { items, next_cursor: more } = await ask("/models?limit=200");
  const isServed = ({ aliases }) => aliases.includes("production");
  if (more && !items.some(isServed)) items.push(...await earlierProduction());
  const isNew = !isKnown || JSON.stringify(items) !== JSON.stringify(versions);
  const found = items.find(isServed) ?? null;
  // The line is read aloud whenever it is written.
  if (!isKnown || found?.version !== production?.version) byId("served").replaceChildren(...lineOf(found));
  production = found;
  versions = items;
  isKnown = true;
  showOffer();
  if (isNew) for (const act of hearers) act(versions);
}

// The version in production where so many came after it that it is not among the newest.
async function earlierProduction() {
  const { items } = await ask("/models/aliases?limit=200");
  const production = items.find(({ alias }) => alias === "production");
  return production ? [await ask(`/models/${production.version}`)] : [];
}

export function versionLink(version, text = `version ${version}`) {
  return make("a", { href: addressOf(`models/${version}`) }, text);
}

function lineOf(model) {
  if (!model) return ["No model in production yet."];
  return ["In production: ", versionLink(model.version), ", ", runLink(model.run), `, ${model.arch} trained on ${model.dataset} `, drawnTag(model.drawn)];
}

// Offer to put the run into production; null: there is nothing to offer.
export function offer(run) {
  offered = run;
  showOffer();
}

function showOffer() {
  const isServed = offered !== null && production?.run === offered.id;
  const isOffered = offered !== null && isKnown && !isServed;
  const button = byId("register");
  button.hidden = !isOffered;
  byId("register-facts").hidden = !isOffered && !isServed;
  if (isServed) byId("register-facts").textContent = `This run is in production, as version ${production.version}: it names the breeds of photos.`;
  if (!isOffered) return;
  const { isClear, says } = comparedWithProduction(offered);
  const isBusy = busy === offered.id;
  button.textContent = `Put run ${offered.id} into production`;
  button.className = isClear ? "secondary" : "";
  button.disabled = busy !== null;
  button.ariaBusy = isBusy ? "true" : null;
  button.onclick = () => register(offered);
  byId("register-facts").textContent = [whatItBecomes(offered.id), says].filter(Boolean).join(" ");
}

function whatItBecomes(id) {
  const own = versions.find(({ run }) => run === id);
  const becomes = own ? `As version ${own.version} it then names the breeds of photos` : "It becomes a version of its own and from then on names the breeds of photos";
  return `${becomes}${production ? `, in place of version ${production.version} (run ${production.run}), which stays registered` : ""}.`;
}

const comparedWithProduction = (run) => comparedRates(
  { ...run, named: `run ${run.id}`, dataset: run.dataset.name },
  production && { ...production, named: `version ${production.version}` }, run.error_rate_margin ?? 0);

const isOfferedNow = (id) => offered?.id === id;

export function say(message, bad = false) {
  byId("run-message").textContent = message;
  byId("run-message").className = bad ? "bad" : "";
}

// A model takes up to half a minute to load, and nothing of that is seen: it is said where the answering model stands.
export async function whileLoading(work) {
  byId("served").textContent = LOADS;
  try {
    return await work;
  } finally {
    byId("served").replaceChildren(...lineOf(production));
  }
}

async function register(run) {
  const { id } = run;
  const { isWorse, says } = comparedWithProduction(run);
  const isMeant = !isWorse || await confirmed({
    title: `Put run ${id} into production?`,
    says: [says, `Version ${production.version} stays registered. It can be put back at any time.`],
    act: `Put run ${id} into production`,
    isDangerous: true,
  });
  if (!isMeant || busy !== null) return;
  busy = id;
  showOffer();
  say(LOADS);
  const body = JSON.stringify({ run: id, alias: "production" });
  try {
    const model = await whileLoading(ask("/models", { method: "POST", headers: { "Content-Type": "application/json" }, body }));
    tell("register");
    if (isOfferedNow(id)) say(`Run ${id} is in production as version ${model.version}.`);
  } catch (error) {
    const message = `Run ${id} is not in production. ${error.message}`;
    if (isOfferedNow(id)) say(message, true);
    // Where another run is shown by now it would look done.
    else tell("register", Promise.reject(new Error(message)));
  }
  // What may be pressed again is known once it is known what answers.
  await tell("served", showServed());
  busy = null;
  showOffer();
}
