// Adding photos: something is chosen, sent, given a label rule and imported. The upload stands in the address.

import { amend, go, here, placeOf } from "../frame/address.js";
import { byId, FINAL, make, size } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { duration } from "../frame/times.js";
import { showImport } from "./importing.js";
import { acceptDrops } from "./drops.js";
import { filesOf, sourceOf } from "./packed.js";
import { askForRule, hideRule, prepareRuleForm } from "./rule_form.js";
import { begin, discard, Transfer } from "./transfer.js";
import { begunOf, drop, keep, unfinished } from "./unfinished.js";

// What is on its way goes on while other views are looked at.
const transfers = new Map();
const BUILTIN = { "add-sample": "sample", "add-oxford": "oxford-iiit-pet" };
const asking = new Set();
let shownId = null;

const uploadInAddress = () => placeOf().query.get("upload");
const complain = (error) => { byId("add-trouble").textContent = error?.message ?? ""; };

async function guarded(work) {
  complain(null);
  try {
    await work;
  } catch (error) {
    complain(error);
  }
}

// Go on with what was begun of the same file, or begin.
async function take(found) {
  const source = sourceOf(found);
  const upload = await earlier(source) ?? await begin(source);
  keep(upload.id, source, upload.length);
  const transfer = new Transfer(source, upload, showTransfer);
  transfers.set(upload.id, transfer);
  transfer.start();
  if (uploadInAddress() === upload.id) await tell("upload", showUpload());
  else go(here({ upload: upload.id }));
}

async function earlier(source) {
  const known = begunOf(source);
  if (!known) return null;
  try {
    const upload = await ask(`/uploads/${known.id}`);
    return upload.job === null && upload.length === source.blob.size ? upload : null;
  } catch (error) {
    if (error.code !== "not_found") throw error;
    drop(known.id);
    return null;
  }
}

// What the address says: an upload on its way, one that waits for its file, one that has become an import, or none.
export async function showUpload() {
  const id = shownId = uploadInAddress();
  byId("choose").hidden = Boolean(id);
  byId("add-another").hidden = !id;
  byId("sending").hidden = byId("importing").hidden = true;
  complain(null);
  if (!id) {
    hideRule();
    await listUnfinished();
    return;
  }
  let upload;
  try {
    upload = await ask(`/uploads/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.code !== "not_found") throw error;
    drop(id);
    hideRule();
    complain(new Error("This upload is gone: uploads are kept for a day. Choose the photos again."));
    byId("choose").hidden = false;
    return;
  }
  if (id !== shownId) return;
  if (upload.job !== null) {
    hideRule();
    drop(id);
    await showImport(upload.job);
    return;
  }
  const transfer = transfers.get(id);
  if (transfer) showTransfer(transfer);
  else showStanding(upload);
}

function showTransfer(transfer) {
  if (transfer.id !== shownId) return;
  const { source, length, state, seen, rate, reason } = transfer;
  const left = state === "sending" && rate ? `${size(rate)}/s · ${duration((length - seen) / rate)} left` : "";
  showProgress(source.name, seen, length, left, reason || { sending: "", paused: "Paused", done: "Arrived" }[state]);
  byId("pause").hidden = state === "done";
  byId("pause").textContent = { paused: "Go on", failed: "Try again" }[state] ?? "Pause";
  byId("sent-state").className = state === "failed" ? "bad" : "quiet";
  rule({ name: source.name, names: source.names, id: state === "done" ? transfer.id : null, key: transfer.id });
}

// Whole, or waiting for its file, which only the person can give to a page.
function showStanding({ id, name, offset, length }) {
  const isWhole = offset === length;
  showProgress(name, offset, length, "", isWhole ? "Arrived" : "Choose the same file or folder, and it goes on from here.");
  byId("pause").hidden = true;
  byId("sent-state").className = isWhole ? "quiet" : "";
  byId("choose").hidden = isWhole;
  rule({ name, names: null, id: isWhole ? id : null, key: id });
}

const rule = (subject) => askForRule(subject, (job) => {
  drop(subject.key);
  transfers.delete(subject.key);
  tell("upload", showUpload());
  return job;
});

function showProgress(name, seen, length, left, state) {
  byId("sending").hidden = false;
  byId("sending-title").textContent = name;
  Object.assign(byId("sent"), { max: length, value: seen });
  byId("sent-facts").textContent = [`${Math.floor((100 * seen) / length)} % of ${size(length)}`, left].filter(Boolean).join(" · ");
  if (byId("sent-state").textContent !== state) byId("sent-state").textContent = state;
}

async function listUnfinished() {
  const lines = unfinished().map(({ id, name, size: length }) => make("li", {}, make("a", { href: here({ upload: id }) }, name),
    make("span", { class: "quiet" }, ` ${size(length)}, not imported yet `),
    make("button", { type: "button", class: "plain", "aria-label": `Discard ${name}`, on: { click: () => guarded(stop(id).then(listUnfinished)) } }, "Discard")));
  byId("unfinished").replaceChildren(...lines);
}

async function stop(id) {
  transfers.get(id)?.pause();
  await discard(id);
  transfers.delete(id);
  drop(id);
}

// Nobody asks twice for what is on its way.
export function showAsked(imports) {
  for (const [id, name] of Object.entries(BUILTIN)) {
    byId(id).disabled = asking.has(id) || imports.some(({ dataset, state }) => dataset === name && !FINAL.has(state));
  }
}

async function builtin(id, changed) {
  const name = BUILTIN[id];
  const body = JSON.stringify({ name, builtin: name });
  asking.add(id);
  byId(id).disabled = true;
  try {
    await ask("/datasets/builtin", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch (error) {
    byId(id).disabled = false;
    throw error;
  } finally {
    asking.delete(id);
  }
  await tell("refresh", changed());
}

export function prepareAdding(changed) {
  for (const id of ["archive-file", "photo-folder"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const found = filesOf(target);
      target.value = "";
      if (found.length) guarded(take(found));
    });
  }
  acceptDrops((found) => guarded(found.then(take)));
  byId("pause").addEventListener("click", () => {
    const transfer = transfers.get(shownId);
    guarded(["paused", "failed"].includes(transfer.state) ? transfer.resume() : transfer.pause());
  });
  byId("stop-upload").addEventListener("click", () => guarded(stop(shownId).then(() => amend({ upload: null }))));
  byId("add-another").addEventListener("click", () => go(here({ upload: null })));
  for (const id of Object.keys(BUILTIN)) byId(id).addEventListener("click", () => guarded(builtin(id, changed)));
  prepareRuleForm();
}
