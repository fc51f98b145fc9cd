// The page: everything it shows comes from the HTTP API; text is set as text, never as markup.

import { figuresOf, forget, readCell, showFigure } from "/figures.js";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const REFRESH_MS = 5000;
const FIGURES_MS = 1500;
const LIVE = ["loss", "schedule", "lr-find"];
const EPOCHS_ONLY = 1000000;

const byId = (id) => document.getElementById(id);
const words = (name) => name.replaceAll("_", " ");
const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
const decimal = (value) => (value === null ? "–" : value.toFixed(4));

let chosen = null;
let figuresDue = 0;
let figures = [];
const progress = new Map();
let watched = null;

function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const cell = (content, number = false) => make("td", number ? { class: "number" } : {}, content);

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) {
    const hint = body.hint ? ` ${body.hint}` : "";
    throw Object.assign(new Error(`${body.detail}.${hint}`), { code: body.code });
  }
  return body;
}

function drawnTag(drawn) {
  return drawn ? make("span", { class: "tag drawn", title: "The project drew these pictures itself" }, "drawn sample") : "";
}

// Runs

async function refreshRuns() {
  const { items } = await ask("/runs?limit=50");
  const focused = document.activeElement?.dataset?.run;
  byId("no-runs").hidden = items.length > 0;
  byId("runs").querySelector("tbody").replaceChildren(...items.map(runRow));
  if (focused) document.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
  const unfinished = items.filter((run) => !FINAL.has(run.state));
  watch(unfinished.find((run) => run.id === chosen) ?? unfinished.find((run) => run.state === "running"));
  if (unfinished.length > 1) await refreshProgress(unfinished);
}

async function refreshProgress(runs) {
  const { items } = await ask("/jobs?limit=200");
  const known = new Map(items.map((job) => [job.id, job]));
  for (const run of runs.filter(({ job }) => job !== watched?.job && known.get(job)?.progress)) {
    progress.set(run.job, known.get(run.job).progress);
    byId(`progress-${run.job}`)?.replaceChildren(...progressOf(run));
  }
}

function runRow(run) {
  const open = make("button", { type: "button", class: "link", "data-run": run.id, on: { click: () => choose(run.id) } },
    `${run.id}${run.name ? ` · ${run.name}` : ""}`);
  return make("tr", { "aria-current": run.id === chosen ? "true" : null },
    cell(open), cell(run.state), cell(run.arch), make("td", {}, `${run.dataset.name} `, drawnTag(run.dataset.drawn)),
    cell(percent(run.error_rate), true), make("td", { id: `progress-${run.job}` }, ...progressOf(run)));
}

function progressOf(run) {
  if (run.state === "failed") {
    return [make("button", { type: "button", class: "link bad", on: { click: () => choose(run.id) } }, "why")];
  }
  if (FINAL.has(run.state)) return [""];
  const at = progress.get(run.job);
  if (!at) return [""];
  const left = at.eta_seconds == null ? "" : ` ${Math.ceil(at.eta_seconds)} s left`;
  const label = `${at.stage ?? ""} ${at.step}/${at.steps}`;
  return [make("progress", { max: Math.max(at.steps, 1), value: at.step, "aria-label": label }), ` ${label}${left}`];
}

// One stream at a time: a browser opens six connections to a host, and each stream keeps one.
function watch(run) {
  if (run?.job === watched?.job) return;
  watched?.source.close();
  watched = run ? { job: run.job, source: new EventSource(`/jobs/${run.job}/events`) } : null;
  if (run) follow(run, watched.source);
}

function follow(run, source) {
  const data = (event) => JSON.parse(event.data);
  source.addEventListener("progress", (event) => {
    progress.set(run.job, data(event));
    byId(`progress-${run.job}`)?.replaceChildren(...progressOf({ ...run, state: "running" }));
  });
  const moved = () => { if (run.id === chosen) showProgressSoon(run.id); };
  source.addEventListener("batch", moved);
  source.addEventListener("epoch", moved);
  source.addEventListener("state", (event) => {
    if (FINAL.has(data(event).state)) {
      source.close();
      if (run.id === chosen) tell(showRun(run.id));
    }
    tell(refreshRuns());
  });
}

// One run

function choose(id) {
  chosen = id;
  tell(refreshRuns());
  tell(showRun(id).then(() => byId("run").focus()));
}

async function showRun(id) {
  const run = await ask(`/runs/${id}`);
  byId("run").hidden = false;
  byId("run-title").replaceChildren(`Run ${run.id}${run.name ? ` · ${run.name}` : ""} `, drawnTag(run.dataset.drawn));
  const where = run.device ? `${run.device}, ${run.precision} (${run.precision_reason})` : "not started";
  byId("run-facts").textContent =
    `${run.arch} on ${run.dataset.name}: ${run.dataset.items} pictures of ${run.dataset.breeds} breeds; ${where}; seed ${run.seed}`;
  byId("register").hidden = run.state !== "succeeded" || run.kind !== "train";
  byId("register").onclick = () => tell(register(run.id));
  await showJobError(run);
  if (id !== chosen) return;
  showCurves(run.curves);
  byId("cautions").replaceChildren(...run.cautions.map((caution) => make("li", {}, caution)));
  placeFigures(run);
  if (FINAL.has(run.state)) await Promise.all([showEpochs(id), showFigures(), showConfusion(id)]);
  else {
    byId("reading").hidden = true;
    await Promise.all([showEpochs(id), showFigures(LIVE)]);
  }
}

async function showJobError(run) {
  const { error } = run.state === "failed" ? await ask(`/jobs/${run.job}`) : { error: null };
  say(error ? `${error.detail}. ${error.hint ?? ""}` : "", Boolean(error));
}

function say(message, bad = false) {
  byId("run-message").textContent = message;
  byId("run-message").className = bad ? "bad" : "";
}

async function register(id) {
  byId("register").disabled = true;
  try {
    const model = await ask("/models", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ run: id, alias: "production" }),
    });
    say(`Version ${model.version} is in production.`);
    await showServed();
  } catch (error) {
    say(error.message, true);
  } finally {
    byId("register").disabled = false;
  }
}

// A running run's loss and schedule follow it, at most once in FIGURES_MS.
function showProgressSoon(id) {
  if (figuresDue) return;
  figuresDue = setTimeout(() => {
    figuresDue = 0;
    if (id === chosen) tell(Promise.all([showEpochs(id), showFigures(LIVE)]));
  }, FIGURES_MS);
}

async function showEpochs(id) {
  const { epochs } = await ask(`/runs/${id}/metrics?every=${EPOCHS_ONLY}`);
  if (id !== chosen) return;
  byId("table-of-epochs").hidden = epochs.length === 0;
  byId("epochs").querySelector("tbody").replaceChildren(...epochs.map((row) => make("tr", {},
    cell(row.phase + 1), cell(row.epoch + 1), cell(decimal(row.train_loss), true), cell(decimal(row.valid_loss), true),
    cell(percent(row.error_rate), true), cell(row.seconds.toFixed(1), true))));
}

function showCurves(curves) {
  byId("curves").replaceChildren(...curves.map(({ phase, word, sentence }) => make("li", {},
    make("strong", {}, phase === null ? "The run: " : `Phase ${phase + 1}: `), make("span", { class: "tag" }, words(word)), ` ${sentence}`)));
}

// Figures

function placeFigures(run) {
  for (const { place } of figures) forget(place);
  figures = figuresOf(run).map((figure) => ({ ...figure, place: make("figure", { hidden: true, "data-figure": figure.name }) }));
  byId("figures").replaceChildren(...figures.map(({ place }) => place));
}

async function showFigures(names) {
  const wanted = figures.filter(({ name }) => !names || names.includes(name));
  await Promise.all(wanted.map(async (figure) => {
    // A hidden place has no width to draw in.
    const wasHidden = figure.place.hidden;
    figure.place.hidden = false;
    figure.place.hidden = !(await showFigure(figure.place, figure)) && wasHidden;
  }));
}

// Confusion

async function showConfusion(id) {
  let found;
  try {
    found = await ask(`/runs/${id}/confusion?min_val=1`);
  } catch (error) {
    byId("reading").hidden = true;
    if (error.code === "not_ready" || error.code === "wrong_kind") return;
    throw error;
  }
  if (id !== chosen) return;
  byId("reading").hidden = false;
  byId("confusion-facts").textContent = `${found.n} ${found.drawn ? "drawn pictures" : "photos"}, error rate ${percent(found.error_rate)}`;
  walkable(found);
  byId("confused").querySelector("tbody").replaceChildren(...found.most_confused.slice(0, 50).map((row) =>
    make("tr", {}, cell(words(row.actual)), cell(words(row.predicted)), cell(row.count, true))));
  byId("scores").querySelector("tbody").replaceChildren(...found.per_class.map((row) => make("tr", {},
    cell(words(row.breed)), cell(row.support, true), cell(percent(row.precision), true), cell(percent(row.recall), true),
    cell(percent(row.f1), true))));
}

// The arrow keys read the confusion figure cell by cell.
function walkable({ vocab, matrix }) {
  const place = figures.find(({ name }) => name === "confusion")?.place;
  if (!place || place.dataset.walkable) return;
  place.dataset.walkable = "yes";
  place.tabIndex = 0;
  byId("cell").textContent = "In the confusion figure the arrow keys read cell by cell.";
  let [row, column] = [0, 0];
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const within = (at) => Math.min(vocab.length - 1, Math.max(0, at));
  place.addEventListener("keydown", (event) => {
    if (!steps[event.key]) return;
    event.preventDefault();
    [row, column] = [within(row + steps[event.key][0]), within(column + steps[event.key][1])];
    byId("cell").textContent = `${words(vocab[row])} was taken for ${words(vocab[column])}: ${matrix[row][column]}`;
    readCell(place, row, column);
  });
}

// Predict

async function predict(file) {
  const answer = byId("answer");
  const picture = make("img", { alt: `The photo ${file.name}`, src: URL.createObjectURL(file) });
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
  picture.addEventListener("error", () => picture.remove(), { once: true });
  const guesses = make("div", {}, make("p", { class: "quiet" }, "Looking…"));
  answer.replaceChildren(picture, guesses);
  const form = new FormData();
  form.append("file", file);
  try {
    const { model, predictions: [found] } = await ask("/predict?top_k=5", { method: "POST", body: form });
    const kind = found.species ? `, a ${found.species}` : "";
    guesses.replaceChildren(make("h3", {}, `${words(found.breed)}${kind}`), ...found.top.map(guessBar),
      make("p", { class: "quiet" }, `Version ${model.version}, ${model.arch} `, drawnTag(model.drawn),
        model.note ? ` ${model.note}` : "",
        model.drawn ? " It learned from drawn pictures: its answers on photos mean nothing." : ""));
  } catch (error) {
    guesses.replaceChildren(make("p", { class: "bad" }, error.message));
  }
}

function guessBar({ breed, probability }) {
  return make("div", { class: "guess" }, make("span", {}, words(breed)),
    make("meter", { min: 0, max: 1, value: probability, "aria-label": `${words(breed)}: ${percent(probability)}` }),
    make("span", { class: "number" }, percent(probability)));
}

function acceptPhotos() {
  const zone = byId("drop");
  byId("photo").addEventListener("change", ({ target }) => target.files[0] && predict(target.files[0]));
  for (const event of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(event, (happened) => {
      happened.preventDefault();
      zone.classList.toggle("over", event === "dragover");
      if (event === "drop" && happened.dataTransfer.files[0]) predict(happened.dataTransfer.files[0]);
    });
  }
}

// Datasets and the model in production

async function showDatasets() {
  const { items } = await ask("/datasets?limit=200");
  byId("no-datasets").hidden = items.length > 0;
  byId("datasets").querySelector("tbody").replaceChildren(...items.map((one) => make("tr", {},
    cell(one.name), cell(one.items, true), cell(one.breeds, true), cell(one.drawn ? drawnTag(true) : "photos"),
    cell(make("code", { title: one.revision }, one.revision.slice(0, 12))))));
  const imports = await ask("/jobs?kind=import&limit=5");
  byId("imports").replaceChildren(...imports.items.filter(({ state }) => state !== "succeeded").map((job) =>
    make("li", { class: job.state === "failed" ? "bad" : null }, importLine(job))));
}

function importLine({ id, state, progress: at, error }) {
  const reason = error ? `: ${error.detail}. ${error.hint ?? ""}` : "";
  return `Import ${id} ${state}${at && !FINAL.has(state) ? `, ${at.stage} ${at.step}/${at.steps}` : ""}${reason}`;
}

async function showServed() {
  const { items } = await ask("/models?limit=200");
  const model = items.find((one) => one.aliases.includes("production"));
  byId("served").replaceChildren(model
    ? `In production: version ${model.version}, ${model.arch} trained on ${model.dataset} `
    : "No model in production yet.", drawnTag(model?.drawn));
}

function tell(work) {
  work.catch((error) => { byId("served").textContent = `The service does not answer as it should: ${error.message}`; });
}

acceptPhotos();
for (const show of [refreshRuns, showDatasets, showServed]) {
  tell(show());
  setInterval(() => { if (!document.hidden) tell(show()); }, REFRESH_MS);
}
const asked = Number(new URLSearchParams(location.search).get("run"));
if (asked) choose(asked);
