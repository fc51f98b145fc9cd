// Saving decisions as a revision, following the job that makes it, and what comes next: training on it, comparing.

import { addressOf, amend, queryNumber } from "../frame/address.js";
import { jobLine } from "../frame/job_line.js";
import { allDatasets } from "../frame/listed.js";
import { byId, FINAL, make, revisionName } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { decisions, forgetSent, markSent } from "./decisions.js";
import { queue } from "./queue.js";
import { trainAgain } from "./train_again.js";
import { countsLine } from "./tray.js";

const NAME = "pedigree-reviewer";
const STALE = "stale_revision";

let view = null;
// The job whose end is waited for, and what was shown of the last one.
let pending = null;
let told = null;
let question = 0;

export function prepareSaving(of) {
  view = of;
  const dialog = byId("save-dialog");
  byId("tray-save").addEventListener("click", () => {
    byId("save-counts").textContent = `${countsLine()}.`;
    byId("save-trouble").textContent = "";
    byId("save-name").value = localStorage.getItem(NAME) ?? "";
    dialog.showModal();
  });
  byId("save-not").addEventListener("click", () => dialog.close());
  byId("save-go").addEventListener("click", save);
}

async function save() {
  const button = byId("save-go");
  const reviewer = byId("save-name").value.trim() || null;
  button.disabled = true;
  try {
    localStorage.setItem(NAME, reviewer ?? "");
    const chosen = decisions();
    const changes = chosen.map(({ item, action, label }) => ({ item, action, label }));
    const { run, revision, vocab } = queue();
    const named = chosen.some(({ action, label, before }) => !vocab.includes(action === "relabel" ? label : before ?? vocab[0]));
    const job = await ask(`/datasets/${encodeURIComponent(view.name())}/revisions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ base_revision: revision, changes, reviewer, new_labels: named }),
    });
    byId("save-dialog").close();
    markSent(job.id, new Set(chosen.map(({ item }) => item)));
    pending = job.id;
    amend({ saved: job.id, base: run });
  } catch (error) {
    byId("save-trouble").textContent = error.code === STALE ? `${error.message} Reload the page to see it: what you have decided comes along.` : error.message;
    return;
  } finally {
    button.disabled = false;
  }
  await tell("refresh", checkSaved());
}

// The job that the address names: how far it is; once it has made the revision, the queue of that one.
export async function checkSaved() {
  const id = queryNumber("saved");
  byId("review-saved").hidden = id === null;
  if (id === null || view.name() === null) return;
  const number = ++question;
  const job = await ask(`/jobs/${id}`);
  if (number !== question) return;
  if (!FINAL.has(job.state)) pending = id;
  want("review", !FINAL.has(job.state));
  byId("tray-save").hidden = !FINAL.has(job.state);
  if (job.state === "succeeded" && forgetSent(id) && pending !== id) view.redraw();
  if (FINAL.has(job.state) && pending === id) {
    await showNewRevision(id);
  }
  await showSaved(job);
}

async function showNewRevision(id) {
  pending = null;
  // A position means another photo in another revision.
  amend({ at: null });
  try {
    await view.again();
  } catch (error) {
    pending = id;
    throw error;
  }
}

async function showSaved(job) {
  const place = byId("review-saved");
  if (job.state !== "succeeded") {
    // It is read aloud whenever it is written.
    const line = JSON.stringify(job);
    if (told === line) return;
    told = line;
    place.replaceChildren(make("h3", {}, FINAL.has(job.state) ? "The revision was not made" : "Making the revision"), make("ul", {}, jobLine(`Job ${job.id}`, job)));
    return;
  }
  const name = view.name();
  const [datasets, runs] = await Promise.all([allDatasets(), ask(`/runs?dataset=${encodeURIComponent(name)}&kind=train&state=succeeded&limit=20`)]);
  const now = datasets.find((one) => one.name === name);
  const base = queryNumber("base");
  const before = runs.items.find(({ id }) => id === base) ?? runs.items.find(({ dataset: { revision } }) => revision !== now?.revision);
  const after = runs.items.find(({ id, dataset: { revision } }) => revision === now?.revision && id > (before?.id ?? 0));
  // What has the keyboard stays as long as it says the same.
  const says = [now?.revision, before?.id, after?.id].join();
  if (told === says) return;
  const again = await trainAgain(name, before?.id ?? null);
  if (name !== view.name()) return;
  told = says;
  const train = make("a", { class: after ? "button secondary" : "button", href: again }, "Train on it");
  const compare = before && after
    ? make("a", { class: "button", href: addressOf("compare", { runs: `${before.id},${after.id}` }) }, `Compare run ${before.id} with run ${after.id}`)
    : make("span", { class: "quiet" }, "Once it has trained, both runs can be compared here.");
  place.replaceChildren(make("h3", {}, "Saved"),
    make("p", {}, `${name} is at `, now ? revisionName(now) : "another revision", now ? ` now: ${now.items} items of ${now.breeds} breeds.` : "."),
    make("p", { class: "toolbar" }, train, compare));
}

export const hearOfSaved = ({ kind, job }) => kind === "progress" && job === queryNumber("saved");

export function leaveSaved() {
  question += 1;
  want("review", false);
  pending = told = null;
  byId("save-dialog").close();
}
