// The page: everything it shows comes from the HTTP API; text is set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const REFRESH_MS = 5000;

const byId = (id) => document.getElementById(id);
const words = (name) => name.replaceAll("_", " ");
const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
const decimal = (value) => (value === null ? "–" : value.toFixed(4));

let chosen = null;
let metricsDue = 0;
const progress = new Map();
const watched = new Map();

function make(tag, options = {}, ...children) {
  const node = options.svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "svg") continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const draw = (tag, options, ...children) => make(tag, { svg: true, ...options }, ...children);
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
  items.filter((run) => !FINAL.has(run.state)).forEach(watch);
}

function runRow(run) {
  const open = make("button", { type: "button", class: "link", "data-run": run.id, on: { click: () => choose(run.id) } },
    `${run.id}${run.name ? ` · ${run.name}` : ""}`);
  return make("tr", { "aria-current": run.id === chosen ? "true" : null },
    cell(open), cell(run.state), cell(run.arch), make("td", {}, `${run.dataset.name} `, drawnTag(run.dataset.drawn)),
    cell(percent(run.error_rate), true), make("td", { id: `progress-${run.job}` }, ...progressOf(run)));
}

function progressOf(run) {
  if (FINAL.has(run.state)) return [run.state === "failed" ? make("span", { class: "bad" }, "see the job") : ""];
  const at = progress.get(run.job);
  if (!at) return [""];
  const left = at.eta_seconds == null ? "" : ` ${Math.ceil(at.eta_seconds)} s left`;
  const label = `${at.stage ?? ""} ${at.step}/${at.steps}`;
  return [make("progress", { max: Math.max(at.steps, 1), value: at.step, "aria-label": label }), ` ${label}${left}`];
}

function watch(run) {
  if (watched.has(run.job)) return;
  const source = new EventSource(`/jobs/${run.job}/events`);
  watched.set(run.job, source);
  const data = (event) => JSON.parse(event.data);
  source.addEventListener("progress", (event) => {
    progress.set(run.job, data(event));
    byId(`progress-${run.job}`)?.replaceChildren(...progressOf({ ...run, state: "running" }));
  });
  const figures = () => { if (run.id === chosen) showMetricsSoon(run.id); };
  source.addEventListener("batch", figures);
  source.addEventListener("epoch", figures);
  source.addEventListener("state", (event) => {
    if (FINAL.has(data(event).state)) {
      source.close();
      watched.delete(run.job);
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
  await showMetrics(id);
  await showConfusion(id);
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

function showMetricsSoon(id) {
  clearTimeout(metricsDue);
  metricsDue = setTimeout(() => tell(showMetrics(id)), 300);
}

async function showMetrics(id) {
  const { epochs, batches } = await ask(`/runs/${id}/metrics`);
  if (id !== chosen) return;
  byId("epochs").querySelector("tbody").replaceChildren(...epochs.map((row) => make("tr", {},
    cell(row.phase), cell(row.epoch), cell(decimal(row.train_loss), true), cell(decimal(row.valid_loss), true),
    cell(percent(row.error_rate), true), cell(row.seconds.toFixed(1), true))));
  byId("loss").replaceChildren(batches.step.length ? lossChart(epochs, batches) : make("p", { class: "quiet" }, "No steps yet."));
}

function lossChart(epochs, { step, train_loss: loss }) {
  const [width, height, left, bottom] = [460, 220, 40, 24];
  const valid = validPoints(epochs, step);
  const top = Math.max(...loss, ...valid.map(([, value]) => value)) * 1.05 || 1;
  const last = Math.max(step.at(-1), 1);
  const x = (at) => left + (at / last) * (width - left - 10);
  const y = (value) => 10 + (1 - value / top) * (height - bottom - 10);
  const line = (points, kind) => draw("polyline", { class: kind, points: points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ") });
  const ticks = [0, top / 2, top].map((value) => draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Smoothed training loss by step, and validation loss by epoch" },
    draw("path", { class: "axis", d: `M${left},10V${height - bottom}H${width - 10}` }), ...ticks,
    draw("text", { x: left, y: height - 6 }, "step 0"), draw("text", { x: width - 10, y: height - 6, "text-anchor": "end" }, `${last}`),
    draw("text", { x: width - 90, y: 22, class: "key-train" }, "training"),
    draw("text", { x: width - 90, y: 38, class: "key-valid" }, "validation"),
    line(step.map((at, i) => [at, loss[i]]), "train"), line(valid, "valid"),
    ...valid.map(([at, value]) => draw("circle", { class: "dot", cx: x(at), cy: y(value), r: 3 })));
}

function validPoints(epochs, step) {
  // All epochs of a run have the same number of steps; the last one may be under way.
  if (!epochs.length) return [];
  const whole = Math.max(1, Math.floor(step.length / epochs.length));
  return epochs.map((row, i) => [step[Math.min((i + 1) * whole, step.length) - 1], row.valid_loss]);
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
  byId("matrix").replaceChildren(heatMap(found));
  byId("confused").querySelector("tbody").replaceChildren(...found.most_confused.slice(0, 50).map((row) =>
    make("tr", {}, cell(words(row.actual)), cell(words(row.predicted)), cell(row.count, true))));
  byId("scores").querySelector("tbody").replaceChildren(...found.per_class.map((row) => make("tr", {},
    cell(words(row.breed)), cell(row.support, true), cell(percent(row.precision), true), cell(percent(row.recall), true),
    cell(percent(row.f1), true))));
}

function heatMap({ vocab, matrix }) {
  const [side, label] = [16, 150];
  const size = label + side * vocab.length + 4;
  const most = Math.max(1, ...matrix.flat());
  const mark = draw("rect", { class: "mark", width: side, height: side, visibility: "hidden" });
  const point = (row, column) => {
    mark.setAttribute("x", label + column * side);
    mark.setAttribute("y", label + row * side);
    mark.setAttribute("visibility", "visible");
    byId("cell").textContent = `${words(vocab[row])} was taken for ${words(vocab[column])}: ${matrix[row][column]}`;
  };
  const cells = matrix.flatMap((counts, row) => counts.flatMap((count, column) => {
    const [x, y] = [label + column * side, label + row * side];
    const parts = [draw("rect", { class: "hit", x, y, width: side, height: side, "fill-opacity": (0.85 * Math.sqrt(count / most)).toFixed(3) })];
    if (count) parts.push(draw("text", { class: "count", x: x + side / 2, y: y + side / 2 + 3 }, `${count}`));
    return parts;
  }));
  const names = vocab.flatMap((name, i) => [
    draw("text", { x: label - 5, y: label + i * side + 12, "text-anchor": "end" }, words(name)),
    draw("text", { transform: `translate(${label + i * side + 12},${label - 5}) rotate(-90)` }, words(name)),
  ]);
  const at = (event) => {
    const box = chart.getBoundingClientRect();
    const scale = size / box.width;
    const column = Math.floor(((event.clientX - box.left) * scale - label) / side);
    const row = Math.floor(((event.clientY - box.top) * scale - label) / side);
    if (matrix[row]?.[column] !== undefined) point(row, column);
  };
  let [row, column] = [0, 0];
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const walk = (event) => {
    if (!steps[event.key]) return;
    event.preventDefault();
    row = Math.min(vocab.length - 1, Math.max(0, row + steps[event.key][0]));
    column = Math.min(vocab.length - 1, Math.max(0, column + steps[event.key][1]));
    point(row, column);
  };
  const chart = draw("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", tabindex: 0, on: { pointermove: at, keydown: walk },
    "aria-label": "Confusion matrix, rows actual and columns predicted; the arrow keys read it cell by cell" }, ...cells, ...names, mark);
  return chart;
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
