// Figures of a run: drawn by Plotly from what the server says, or, where its script does not come, the server's pictures.

import { make } from "/parts.js";
import { ask } from "/service.js";

const NOT_THERE = new Set(["not_ready", "wrong_kind", "not_found"]);
const LEAST_WIDTH = 400;
const MOST_WIDTH = 1200;
const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false };

let script = null;

// True once Plotly can draw; its 5 MB are asked for when the first figure is.
function plotly() {
  script ??= new Promise((done) => {
    const tag = make("script", { src: "/plotly.min.js" });
    tag.addEventListener("load", () => done(Boolean(window.Plotly)), { once: true });
    tag.addEventListener("error", () => done(false), { once: true });
    document.head.append(tag);
  });
  return script;
}

// The phases before which a training searches for a rate.
export function searchesOf(run) {
  return (run.config.phases ?? []).flatMap((phase, number) => (phase.auto === "find" ? [number] : []));
}

const figure = (run, name, query = "") => ({ name, path: `/runs/${run.id}/figures/${name}`, query });

// The figures that a run of this kind has or will have.
export function runFigures(run) {
  if (run.kind === "lr_find") return [figure(run, "lr-find")];
  if (run.kind !== "train") return [];
  const searches = searchesOf(run).map((phase) => figure(run, "lr-find", `?phase=${phase}`));
  return [figure(run, "loss"), figure(run, "schedule"), ...searches];
}

// Those of an interpretation.
export function readFigures(run, query) {
  return [figure(run, "confusion", query), figure(run, "reliability", query)];
}

// A place on the page that holds several figures.
export class Board {
  constructor(host) {
    this.host = host;
    this.figures = [];
  }

  place(figures) {
    for (const { place } of this.figures) forget(place);
    this.figures = figures.map((one) => ({ ...one, place: make("figure", { hidden: true, "data-figure": one.name }), layout: null }));
    this.host.replaceChildren(...this.figures.map(({ place }) => place));
  }

  // Draw, or draw again over what is there; a figure that the run does not have yet stays hidden.
  async show() {
    const room = this.host.clientWidth;
    await Promise.all(this.figures.map((one) => draw(Object.assign(one, { room }))));
  }
}

// The query of a figure whose texts break to the room that there is; a confusion matrix keeps a size of its own.
function sized({ name, query, room }) {
  if (name === "confusion") return query;
  const width = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, room));
  return `${query}${query ? "&" : "?"}width=${width}`;
}

async function draw(one) {
  const { place, path, query } = one;
  let found;
  try {
    found = await ask(`${path}${sized(one)}`, { headers: { Accept: "application/json" } });
  } catch (error) {
    if (NOT_THERE.has(error.code)) return;
    throw error;
  }
  const hasPlotly = await plotly();
  if (!place.isConnected) return;
  // A hidden place has no width to draw in.
  place.hidden = false;
  const picture = `${path}.png${query}`;
  const chart = place.querySelector(".chart") ?? frame(place, picture);
  chart.setAttribute("aria-label", found.layout.meta.alt);
  if (found.data[0]?.type !== "heatmap") delete found.layout.width;
  one.layout = found.layout;
  if (hasPlotly) await window.Plotly.react(chart, found.data, found.layout, CONFIG);
  else showPicture(chart, picture);
}

// Show what is said of a cell of a confusion figure, and bring the cell into sight.
export function readCell({ place, layout }, [row, column], cells) {
  const chart = place.querySelector(".chart.js-plotly-plot");
  if (!chart) return;
  const { margin, width, height } = layout;
  const left = margin.l + ((column + 0.5) / cells) * (width - margin.l - margin.r);
  const top = margin.t + ((row + 0.5) / cells) * (height - margin.t - margin.b);
  const box = chart.parentElement;
  box.scrollLeft = left - box.clientWidth / 2;
  const y = chart.getBoundingClientRect().top + top;
  if (y < 90 || y > window.innerHeight - 40) window.scrollBy(0, y - window.innerHeight / 2);
  window.Plotly.Fx.hover(chart, { xval: column, yval: row }, "xy");
}

function forget(place) {
  const chart = place.querySelector(".chart.js-plotly-plot");
  if (chart) window.Plotly.purge(chart);
  place.remove();
}

function frame(place, picture) {
  const chart = make("div", { class: "chart", role: "img" });
  place.replaceChildren(make("div", { class: "scroll" }, chart), make("figcaption", {}, make("a", { href: picture }, "as PNG")));
  return chart;
}

function showPicture(chart, address) {
  const picture = chart.querySelector("img") ?? make("img");
  picture.alt = chart.getAttribute("aria-label");
  picture.src = `${address}${address.includes("?") ? "&" : "?"}at=${Date.now()}`;
  if (!picture.isConnected) chart.replaceChildren(picture);
}
