// The labels that people gave, and saving them: photos that were sent become a dataset, a dataset gets its next revision.

import { addressOf, amend, queryNumber } from "../frame/address.js";
import { jobLine } from "../frame/job_line.js";
import { allDatasets } from "../frame/listed.js";
import { askOnce, isUnanswered } from "../frame/once.js";
import { byId, counted, datasetLink, FINAL, make, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { decisions, forgetSent, markSent } from "../review/decisions.js";
import { nameOf, told } from "../review/stage.js";

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const SHOWN = 100;
const LEAST_BREEDS = 2;

let view = null;
let written = null;
let question = 0;

const labelled = () => decisions().filter(({ action }) => action !== "drop");

export function showTray(found, acts) {
  const all = decisions();
  const left = all.length - labelled().length;
  byId("label-counts").textContent = all.length ? `${labelled().length} labelled${left ? `, ${left} left out` : ""}` : "None yet.";
  byId("label-undo").disabled = all.length === 0;
  byId("label-list").replaceChildren(...all.slice(-SHOWN).reverse().map((one) => row(one, found, acts)));
  byId("label-into-field").hidden = found.upload === null;
  settle();
}

function row(one, { items }, acts) {
  const place = items.findIndex(({ item }) => item === one.item);
  const name = nameOf(one);
  return make("li", {}, place < 0 ? make("span", { class: "file" }, name) : make("button", { type: "button", class: "plain file", on: { click: () => acts.goTo(place) } }, name),
    make("span", { class: "what" }, one.action === "drop" ? "Left out" : one.action === "keep" ? told(one) : words(one.label)),
    make("button", { type: "button", class: "plain", "aria-label": `Undo ${name}`, on: { click: () => acts.takeBack(one.item) } }, "undo"));
}

// What is still missing before they can be saved.
function missing() {
  const { dataset, upload } = view.found();
  if (dataset !== null) return decisions().length ? "" : "Label a photo first.";
  if (upload === null) return "These photos are not kept any more: send them again to label them.";
  if (new Set(labelled().map(({ label }) => label)).size < LEAST_BREEDS) return "A dataset has at least two breeds: label photos of another one too.";
  if (into()) return "";
  return NAME.test(byId("label-name").value) ? "" : "Give the dataset a name of small letters, digits, dots and hyphens.";
}

// Photos that were sent make a dataset, or are added to one.
export async function showInto() {
  const items = await allDatasets();
  const { value } = byId("label-into");
  byId("label-into").replaceChildren(make("option", { value: "" }, "a new dataset"), ...items.map(({ name }) => make("option", { value: name }, name)));
  byId("label-into").value = items.some(({ name }) => name === value) ? value : "";
  settle();
}

const into = () => byId("label-into").value;

function settle() {
  byId("label-name-field").hidden = view.found().upload === null || into() !== "";
  byId("label-save").textContent = view.found().dataset === null && into() === "" ? "Save as a dataset" : "Save as new revision";
  const reason = missing();
  byId("label-save").disabled = Boolean(reason);
  byId("label-missing").textContent = reason || "Kept in this browser until you save.";
}

async function save() {
  byId("label-save").disabled = true;
  try {
    const job = await (view.found().dataset === null ? asDataset() : asRevision());
    amend({ saved: job.id });
    settle();
  } catch (error) {
    settle();
    byId("label-missing").textContent = error.message;
    return;
  }
  await tell("refresh", checkSaved());
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

// The photos that have a label, out of the upload; it stays for the ones that have none yet.
async function asDataset() {
  const name = into() || byId("label-name").value;
  const lines = labelled().map(({ path, label }) => `${quoted(path)},${quoted(label)}\n`);
  const about = [view.found().upload, name, into(), lines];
  // One that was made for a request whose answer was lost is ours.
  if (!into() && !isUnanswered("/datasets", about)) await refuseOthers(name);
  const form = new FormData();
  form.append("name", name);
  form.append("upload", view.found().upload);
  form.append("keep_upload", "true");
  form.append("add", String(into() !== ""));
  form.append("labels", new Blob(["filename,label\n", ...lines], { type: "text/csv" }), "labels.csv");
  return askOnce("/datasets", { method: "POST", body: form }, about);
}

// Another dataset's photos would go out of its next revision.
async function refuseOthers(name) {
  const items = await allDatasets();
  const saved = queryNumber("saved");
  const ours = saved === null ? null : (await ask(`/jobs/${saved}`)).dataset;
  if (name !== ours && items.some((one) => one.name === name)) throw new Error(`There is a dataset ${name} already. Choose it beside “Save them in”, or give this one another name.`);
}

async function asRevision() {
  const { dataset, revision } = view.found();
  const chosen = decisions();
  const changes = chosen.map(({ item, action, label }) => ({ item, action, label }));
  const job = await ask(`/datasets/${encodeURIComponent(dataset)}/revisions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ base_revision: revision, changes, new_labels: true }),
  });
  markSent(job.id, new Set(chosen.map(({ item }) => item)));
  return job;
}

// The job that the address names: how far it is, and once it is done what comes next.
export async function checkSaved() {
  const id = queryNumber("saved");
  byId("label-saved").hidden = id === null;
  if (id === null) return;
  const number = ++question;
  const job = await ask(`/jobs/${id}`);
  if (number !== question) return;
  want("label-saved", !FINAL.has(job.state));
  if (job.dataset && !byId("label-name").value) {
    byId("label-name").value = job.dataset;
    if (view.found()) settle();
  }
  if (job.state === "succeeded" && forgetSent(id)) view.redraw();
  // It is read aloud whenever it is written.
  const line = JSON.stringify(job);
  if (written === line) return;
  written = line;
  byId("label-saved").replaceChildren(...(job.state === "succeeded" ? done(job) : [
    make("h3", {}, FINAL.has(job.state) ? "The labels were not saved" : "Saving the labels"), make("ul", {}, jobLine(`Job ${id}`, job))]));
}

function done({ dataset }) {
  return [make("h3", {}, "Saved"),
    make("p", {}, "The labels are in ", datasetLink(dataset), view.found()?.dataset === null ? `, with ${counted(labelled().length, "photo")}. Label more, and save again: it gets its next revision.` : "."),
    make("p", { class: "toolbar" }, make("a", { class: "button", href: addressOf("train", { dataset }) }, "Train on it"))];
}

export function leaveSaved() {
  question += 1;
  written = null;
  want("label-saved", false);
}

export function prepareSaving(of) {
  view = of;
  byId("label-name").addEventListener("input", settle);
  byId("label-into").addEventListener("change", settle);
  byId("label-save-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!missing()) save();
  });
}
