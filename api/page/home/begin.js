// Where to go from here: what to do while nothing answers, the model that answers, and the latest runs.

import { addressOf } from "../frame/address.js";
import { showAwaitedImports } from "../frame/imports.js";
import { byId, datasetLink, drawnTag, FINAL, make, percent, runLink, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { writeNew } from "../frame/written.js";
import { localTime, shortTime } from "../frame/times.js";
import { registered, showServed, versionLink } from "../models/served.js";
import { addPhotos } from "./cards.js";
import { ownPictureParts } from "./own_picture.js";

const LATEST = 4;
let question = 0;

export async function showBegin() {
  const number = ++question;
  const [versions, { items: runs }] = await Promise.all([registered(), ask(`/runs?limit=${LATEST}`)]);
  if (number !== question) return;
  const served = versions.find(({ aliases }) => aliases.includes("production")) ?? null;
  const trained = served || versions.length ? null : await bestTrained();
  const isBare = !served && !versions.length && !runs.length && !(await ask("/datasets?limit=1")).items.length;
  if (number !== question) return;
  const isImporting = await showAwaitedImports("awaited-imports", isBare);
  if (number !== question) return;
  want("latest", isImporting || runs.some(({ state }) => !FINAL.has(state)));
  // What has the focus stays as it is while nothing has changed.
  writeNew("latest", [served, versions[0], trained, runs, isBare, isImporting], () => {
    showLatest(runs, isBare);
    showBehind(served);
    showMissing(served, versions[0] ?? null, trained, runs.find(({ kind, state }) => kind === "train" && !FINAL.has(state)), isBare && { isImporting });
  });
}

async function bestTrained() {
  const { items: [best] } = await ask("/runs?kind=train&state=succeeded&sort=error_rate&limit=1");
  return best ?? null;
}

const errorsOf = ({ error_rate: errors }) => (errors === null ? "" : `, wrong on ${percent(errors)} of its validation photos`);

function showBehind(served) {
  byId("behind").hidden = served === null;
  byId("own-picture").hidden = !served?.drawn;
  byId("own-picture").replaceChildren(...served?.drawn ? ownPictureParts(served.run, addPhotos) : []);
  if (!served) return;
  byId("behind-facts").replaceChildren(versionLink(served.version, `Version ${served.version}`), `: ${served.arch}, trained on `,
    datasetLink(served.dataset), ...served.drawn ? [" ", drawnTag(true)] : [], `${errorsOf(served)}.`);
  byId("behind-steps").replaceChildren(
    runLink(served.run, "See the run that made it", { class: "button secondary" }),
    make("a", { href: addressOf("train", { from: served.run }), class: "button secondary" }, "Train a better one"));
}

// While nothing answers there is one thing to do. `bare`: there are no photos yet either.
function showMissing(served, newest, trained, running, bare) {
  const place = byId("no-model");
  place.hidden = served !== null;
  byId("drop").hidden = served === null && newest === null;
  if (served) return;
  const [said, ...steps] = newest ? putBack(newest) : trained ? putFirst(trained) : running ? awaited(running) : bare ? bring(bare) : begin();
  place.replaceChildren(make("p", { class: "call" }, said), make("div", { class: "toolbar middle" }, ...steps));
}

const putBack = (newest) => ["No version is in production.", production(newest.run, `Put version ${newest.version} into production`),
  make("a", { href: addressOf("models"), class: "button secondary" }, "See the versions")];

const putFirst = (run) => [`Run ${run.id} has learned to name breeds${errorsOf(run)}.`, production(run.id, "Let it answer photos"),
  runLink(run.id, "See the run", { class: "button secondary" })];

const awaited = (run) => [`Run ${run.id} is ${run.state}. Once it has succeeded it can name the breeds on photos.`,
  runLink(run.id, "Watch it learn", { class: "button" })];

const begin = () => ["No model has been trained yet. It takes a dataset of photos.",
  make("a", { href: addressOf("train"), class: "button" }, "Train the first model"),
  make("a", { href: addressOf("data"), class: "button secondary" }, "See the datasets")];

const bring = ({ isImporting }) => (isImporting
  ? ["Photos are being brought in. A model can be trained once they are here.", make("a", { href: addressOf("data"), class: "button secondary" }, "See the import")]
  : ["No model has been trained yet. It takes a dataset of photos.", make("a", { href: addressOf("data"), class: "button" }, "Bring photos in")]);

function production(run, text) {
  const button = make("button", { type: "button" }, text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Getting it ready…";
    const body = JSON.stringify({ run, alias: "production" });
    await tell("production", ask("/models", { method: "POST", headers: { "Content-Type": "application/json" }, body }));
    button.disabled = false;
    button.textContent = text;
    await tell("served", showServed());
  });
  return button;
}

function showLatest(runs, isBare) {
  byId("start-training").hidden = isBare;
  byId("no-latest").hidden = runs.length > 0;
  byId("all-runs").hidden = runs.length === 0;
  byId("latest").replaceChildren(...runs.map((run) => make("li", { class: "card" },
    runLink(run.id, `${run.id}${run.name ? ` · ${run.name}` : ""}`, { class: "name" }),
    make("p", {}, run.state === "succeeded" && run.error_rate !== null ? `${percent(run.error_rate)} errors`
      : make("span", { class: run.state === "failed" ? "bad" : null }, run.state)),
    make("p", { class: "quiet" }, `${run.kind === "train" ? "" : `${words(run.kind)}, `}${run.arch} on ${run.dataset.name}`),
    make("time", { class: "quiet", datetime: run.created_at, title: localTime(run.created_at) }, shortTime(run.created_at)))));
}

// What is still on its way is of no interest any more.
export function leaveBegin() {
  question += 1;
  want("latest", false);
}
