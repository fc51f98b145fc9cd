// Train: photos, recipe, network and every setting; what it will take; a rate from a curve; and the start.

import { addressOf, go } from "../frame/address.js";
import { byId } from "../frame/parts.js";
import { tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { showArchs } from "./archs.js";
import { fitted } from "./batch.js";
import { choice, keep, keepSetting, RATES } from "./choice.js";
import { dryRun, sayFaults, showSum, start } from "./forecast.js";
import { clearFaults, form, leaveForm, showDatasets, showFields, showFrom, showPresets, wrongFields } from "./form.js";
import { leaveMeasuring, measureNow, refreshMeasuring } from "./measuring.js";
import { about, plan, request, searchRequest } from "./plan.js";
import { hearOfSearch, hideSearch, isShown, isUnfinished, showSearch } from "./rate.js";
import { readImported, readThere, showImports, there } from "./there.js";

const SOON_MS = 400;
const AGAIN_MS = 5000;
const SEE = "Correct the fields that are marked.";

let planned = null;
let looks = 0;
let soon = 0;
let lastAsked = null;
// What comes late for a look, or for a visit of this view, that is over is dropped.
let shows = 0;
let visit = 0;

// Whether the view has not been left since.
const still = (now = visit) => () => now === visit;
const dataset = () => byId("train-dataset").value;
const trouble = (text) => { byId("train-trouble").textContent = text; };
const changedSoon = { usual: (name) => planned.usual[name], look: () => lookSoon() };

async function show() {
  const question = ++shows;
  const [config, next] = await Promise.all([about(), plan()]);
  if (question !== shows) return;
  const name = next.chosen.dataset ?? next.run?.dataset.name ?? (there.datasets.length === 1 ? there.datasets[0].name : null);
  planned = fitted(next, there.archs, there.datasets.find((one) => one.name === name)?.items ?? null);
  const { chosen, run, goesOn, values, preset } = planned;
  showDatasets(there.datasets, name);
  showPresets(config.presets, preset.name, goesOn);
  showFrom(planned);
  showArchs(there.archs, values.arch, goesOn, (name) => keepSetting("arch", name, planned.usual.arch));
  showFields(planned, config.groups, changedSoon);
  if (byId("train-name") !== document.activeElement) byId("train-name").value = chosen.name;
  const isSearch = preset.kind === "lr_find";
  byId("rate-offer").hidden = isSearch;
  byId("train-start").textContent = isSearch ? "Start the search" : "Start training";
  lookSoon();
  if (chosen.search === null) hideSearch();
  else if (!isShown(chosen.search)) await showSearch(chosen.search, takeRate);
}

// A rate from the curve goes to the recipe's own field, or to the phase that is searched for.
function takeRate(value) {
  const name = RATES.find((one) => one in planned.values);
  const part = form().querySelector(`[data-of="${name ?? "phases"}"]`);
  // A click on the curve leaves the focus where it is, and what somebody types is not written over.
  if (part?.contains(document.activeElement)) document.activeElement.blur();
  if (name) keepSetting(name, value, planned.usual[name]);
  else if (planned.values.phases) {
    const phases = planned.values.phases.map((one, number) => (number === 0 ? { ...one, lr_max: value } : one));
    keepSetting("phases", phases, planned.usual.phases);
  }
  part?.scrollIntoView({ block: "nearest" });
}

function lookSoon(restMs = SOON_MS) {
  clearTimeout(soon);
  soon = setTimeout(() => lookNow(), restMs);
}

async function lookNow(isAgain = false) {
  const isStill = still();
  const failure = await tell("forecast", look(isAgain), isStill);
  if (failure?.isAway && isStill()) lookSoon(AGAIN_MS);
}

// The same is not asked twice: what is wrong stays wrong, and the browser would note it down each time. A service that was
// away has found nothing wrong.
async function look(isAgain = false) {
  if (!planned || byId("view-train").hidden) return;
  const isWrong = wrongFields().length > 0;
  byId("train-start").disabled = isWrong || !dataset();
  if (isWrong || !dataset()) {
    lastAsked = null;
    clearFaults();
    byId("measure").hidden = true;
    byId("train-sum").replaceChildren(isWrong ? SEE : "Choose photos to train on.");
    return;
  }
  const body = request(planned, dataset());
  const text = JSON.stringify(body);
  if (text === lastAsked && !isAgain) return;
  lastAsked = text;
  const question = ++looks;
  try {
    const answer = await dryRun(body);
    if (question !== looks) return;
    clearFaults();
    trouble("");
    showSum(answer, planned, there.archs.find(({ name }) => name === planned.values.arch), there.workers);
  } catch (error) {
    if (question !== looks) return;
    lastAsked = error.isAway ? null : text;
    if (error.isAway) throw error;
    clearFaults();
    trouble(sayFaults(form(), error));
    byId("train-start").disabled = true;
    byId("measure").hidden = true;
    byId("train-sum").replaceChildren(SEE);
  }
}

async function begin(event) {
  event.preventDefault();
  const button = byId("train-start");
  if (button.disabled || !planned) return;
  const now = visit;
  button.disabled = true;
  try {
    const job = await start(request(planned, dataset()));
    if (now === visit) go(addressOf(`runs/${job.run}`));
  } catch (error) {
    trouble(sayFaults(form(), error));
  } finally {
    button.disabled = false;
  }
}

// One search at a time: the button is free again once it is known that this one has ended.
async function findRate() {
  if (!planned) return;
  const now = visit;
  byId("find-rate").disabled = true;
  try {
    const job = await start(searchRequest(planned, (await about()).fields, dataset()));
    if (now === visit) keep({ search: job.run });
  } catch (error) {
    if (now !== visit) return;
    trouble(sayFaults(form(), error));
    byId("find-rate").disabled = false;
  }
}

export const train = {
  title: () => "Train",
  async open() {
    form().onsubmit = begin;
    byId("find-rate").onclick = findRate;
    byId("auto-rate").onclick = () => takeRate("auto");
    byId("measure").onclick = () => { if (planned) measureNow(request(planned, dataset()), trouble, lookNow); };
    byId("archs-all").onchange = () => planned && showArchs(there.archs, planned.values.arch, planned.goesOn, (name) => keepSetting("arch", name, planned.usual.arch));
    byId("train-dataset").onchange = ({ target }) => keep({ dataset: target.value });
    byId("train-name").oninput = ({ target }) => keep({ name: target.value });
    const now = visit;
    byId("find-rate").disabled = false;
    // The form's fields come at the same time.
    await Promise.all([readThere(), about()]);
    if (now === visit) await Promise.all([show(), showImports(still())]);
  },
  turn: show,
  async refresh() {
    if (!there.datasets.length) await readImported(still(), show);
    await refreshMeasuring(trouble, lookNow);
    if (isUnfinished()) await showSearch(choice().search, takeRate);
  },
  hear: hearOfSearch,
  close() {
    hideSearch();
    leaveForm();
    leaveMeasuring();
    want("imports for training", false);
    clearTimeout(soon);
    lastAsked = null;
    shows += 1;
    visit += 1;
  },
};
