// Which photos a model is to look through, and which model; and what was looked through before.

import { addressOf, go, here, placeOf, queryName } from "../frame/address.js";
import { allDatasets } from "../frame/listed.js";
import { askOnce } from "../frame/once.js";
import { byId, counted, make, percent } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { shortTime } from "../frame/times.js";
import { unfinished } from "../data/unfinished.js";
import { registered } from "../models/served.js";

const EARLIER = 10;
const UPLOAD = "upload:";
const HINTS = {
  upload: "Photos that were sent, and are kept for a day. What you label becomes a dataset.",
  dataset: "Its labels may be wrong or a guess: what you say of them becomes its next revision.",
  none: "There are none yet.",
};

// Which photos the address asked for last.
let wished = null;

export function leaveBegin() {
  wished = null;
  for (const id of ["label-pool", "label-model"]) byId(id).replaceChildren();
}

export async function showBegin() {
  const [datasets, { items: jobs }, versions] = await Promise.all([allDatasets(), ask(`/jobs?kind=predict&limit=${EARLIER}`), registered()]);
  showPools(datasets);
  showModels(versions);
  const done = jobs.filter(({ answers }) => answers.photos !== null);
  byId("label-earlier-title").hidden = done.length === 0;
  byId("label-earlier").replaceChildren(...done.map((job) => make("li", {}, make("a", { href: addressOf("label", { job: job.id }) }, `Job ${job.id}`),
    make("span", { class: "quiet" }, ` · ${counted(job.answers.photos, "photo")} · by version ${job.answers.version} · ${shortTime(job.created_at)}`))));
}

// What was sent stands first: it is what this is for.
function showPools(datasets) {
  const asked = placeOf().query.get("upload");
  const sent = unfinished().map(({ id, name }) => [UPLOAD + id, `${name}, as it was sent`]);
  if (asked && !sent.some(([value]) => value === UPLOAD + asked)) sent.unshift([UPLOAD + asked, "the photos that were sent"]);
  const options = [...sent, ...datasets.map(({ name, items }) => [name, `${name} · ${counted(items, "photo")}`])];
  const select = byId("label-pool");
  const wanted = asked ? UPLOAD + asked : queryName("dataset");
  // What somebody has chosen stays where the view is opened again.
  const chosen = wanted === wished && select.value ? select.value : wanted;
  wished = wanted;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  if (chosen && options.some(([value]) => value === chosen)) select.value = chosen;
  hint();
}

function hint() {
  const { value } = byId("label-pool");
  byId("label-pool-hint").textContent = HINTS[!value ? "none" : value.startsWith(UPLOAD) ? "upload" : "dataset"];
  settle();
}

function showModels(versions) {
  const said = ({ version, arch, error_rate: errors }) => `version ${version} · ${arch}${errors === null ? "" : ` · ${percent(errors)} errors`}`;
  const first = versions.find(({ aliases }) => aliases.includes("production"));
  const ordered = first ? [first, ...versions.filter((one) => one !== first)] : versions;
  const select = byId("label-model");
  const chosen = select.value;
  select.replaceChildren(...ordered.map((one) => make("option", { value: String(one.version) }, `${one === first ? "production: " : ""}${said(one)}`)));
  if (ordered.some(({ version }) => String(version) === chosen)) select.value = chosen;
  byId("label-wrong").textContent = versions.length ? "" : "No model is registered yet. Train one, and register it: then it can look through photos.";
  settle();
}

function settle() {
  byId("label-go").disabled = !byId("label-pool").value || !byId("label-model").value;
}

async function begin() {
  const [pool, model] = [byId("label-pool").value, byId("label-model").value];
  byId("label-go").disabled = true;
  byId("label-wrong").textContent = "";
  try {
    const job = await (pool.startsWith(UPLOAD) ? onUpload(pool.slice(UPLOAD.length), model) : onDataset(pool, model));
    go(here({ job: job.id, upload: null, dataset: null }));
  } catch (error) {
    byId("label-wrong").textContent = error.message;
  } finally {
    settle();
  }
}

function onUpload(upload, model) {
  const form = new FormData();
  form.append("upload", upload);
  form.append("model", model);
  return ask("/jobs/archives", { method: "POST", body: form });
}

function onDataset(dataset, model) {
  const body = JSON.stringify({ kind: "predict", dataset, model });
  return askOnce("/jobs", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

export function prepareBegin() {
  byId("label-pool").addEventListener("change", hint);
  byId("label-form").addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
}
