// Figures of a run: drawn by Plotly from what the server says, or, where its script does not come, the server's pictures.

import { at, placeOf } from "./address.js";
import { sized, titleBeside } from "./figure_room.js";
import { make } from "./parts.js";
import { ask, tell } from "./service.js";
import { themed } from "./theme.js";

const A_FRAME_MS = 100;
const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false };

const SCRIPT = "/ui/assets/plotly.min.js";

let coming = null;
let script = null;

// Have the 5 MB of Plotly on their way while it is not known yet what there is to draw. Where they do not come, whoever
// draws finds out.
export function prepareFigures() {
  coming ??= fetch(at(SCRIPT), { priority: "low" }).then((answer) => answer.blob()).catch(() => null);
}

// What is read is shown first: a browser takes a second or more to compile the script, and does nothing else meanwhile,
// until at the third load of a profile it has kept what it compiled. A tab that is not in front has a frame in a second.
const shown = () => new Promise((done) => {
  requestAnimationFrame(() => setTimeout(done));
  setTimeout(done, A_FRAME_MS);
});

// True once Plotly can draw.
function plotly() {
  script ??= Promise.all([coming, shown()]).then(() => new Promise((done) => {
    const tag = make("script", { src: at(SCRIPT) });
    tag.addEventListener("load", () => done(Boolean(window.Plotly)), { once: true });
    // The next figure asks for it again.
    tag.addEventListener("error", () => { [coming, script] = [null, null]; tag.remove(); done(false); }, { once: true });
    document.head.append(tag);
  }));
  return script;
}

// Where the address names a run, even before the page's other modules are there: the document names this one by itself.
if (placeOf().view === "run") prepareFigures();

const STEPS = ["loss", "schedule"];

function isInSight(place) {
  const { top, bottom } = place.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

const figure = (run, name, query = "") => ({ name, path: `/runs/${run.id}/figures/${name}`, query });

// The figures that there are of a run.
export function runFigures(run, hasSteps) {
  const searches = run.rate_searches.map((phase) => figure(run, "lr-find", run.kind === "train" ? `?phase=${phase}` : ""));
  return [...(hasSteps ? STEPS.map((name) => figure(run, name)) : []), ...searches];
}

// Those of an interpretation of so many breeds.
export function readFigures(run, query, breeds) {
  return [{ ...figure(run, "confusion", query), breeds }, figure(run, "reliability", query)];
}

// Several runs over each other, which the service has below one name in a run's place.
export const curveFigures = (ids) => [figure({ id: "compare" }, "curves", `?runs=${ids}`)];

const boards = [];

// What was out of sight while it grew. Looking begins with a first call, which says where things are.
const late = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    const one = boards.flatMap(({ figures }) => figures).find(({ place }) => place === target);
    if (one && !isIntersecting) one.isOut = true;
    if (one?.isOut && isIntersecting) {
      one.isOut = false;
      tell("figures", draw(one));
    }
  }
});

// A place on the page that holds several figures.
export class Board {
  constructor(host) {
    this.host = host;
    this.figures = [];
    boards.push(this);
  }

  // Those that stay are kept as they are: drawing anew over them flickers less.
  place(figures) {
    const address = ({ path, query }) => path + query;
    const kept = new Map(this.figures.map((one) => [address(one), one]));
    const next = figures.map((one) => kept.get(address(one))
      ?? { ...one, place: make("figure", { hidden: true, "data-figure": one.name }), found: null });
    for (const one of this.figures) if (!next.includes(one)) forget(one.place);
    const isSame = next.length === this.figures.length && next.every((one, number) => one === this.figures[number]);
    this.figures = next;
    if (!isSame) this.host.replaceChildren(...next.map(({ place }) => place));
  }

  // What stands first is looked at first: it waits for none of the others.
  async show(figures = this.figures) {
    const room = this.host.clientWidth;
    const [first, ...others] = figures.map((one) => Object.assign(one, { room }));
    const begun = first && draw(first);
    // Its failure is told with those of the others: they are there all the same.
    await begun?.catch(() => null);
    await Promise.all([begun, ...others.filter((one) => this.figures.includes(one)).map(draw)]);
  }

  // Those over the steps, as far as they are in sight, the others when they come into sight. False where there are none.
  async showSteps() {
    const growing = this.figures.filter(({ name, found }) => STEPS.includes(name) && found);
    for (const { place } of growing) late.observe(place);
    await this.show(growing.filter(({ place }) => isInSight(place)));
    return growing.length > 0;
  }
}

// In the colours of now, without asking for anything.
export function redrawFigures() {
  for (const one of boards.flatMap(({ figures }) => figures)) {
    if (one.found && one.place.querySelector(".js-plotly-plot")) paint(one);
  }
}

async function draw(one) {
  const { place, path, query } = one;
  const [found, hasPlotly] = await Promise.all([ask(`${path}${sized(one)}`, { headers: { Accept: "application/json" } }), plotly()]);
  if (!place.isConnected) return;
  // A hidden place has no width to draw in.
  place.hidden = false;
  const picture = at(`${path}.png${query}`);
  const chart = place.querySelector(".chart") ?? frame(one, picture);
  chart.setAttribute("aria-label", found.layout.meta.alt);
  if (found.data[0]?.type !== "heatmap") delete found.layout.width;
  else titleBeside(one, found.layout);
  one.found = found;
  if (hasPlotly) await paint(one);
  else showPicture(chart, picture);
}

function paint({ place, found }) {
  const { data, layout } = themed(found);
  const chart = place.querySelector(".chart");
  chart.querySelector(":scope > img")?.remove();
  return window.Plotly.react(chart, data, layout, CONFIG);
}

// Show what is said of a cell of a confusion figure, and bring the cell into sight.
export function readCell({ place }, [row, column]) {
  const chart = place.querySelector(".chart.js-plotly-plot");
  if (!chart) return;
  // Where Plotly has put the cells: it gives the names the room that they need.
  const { xaxis, yaxis } = chart._fullLayout;
  const left = xaxis._offset + xaxis.c2p(column);
  const top = yaxis._offset + yaxis.c2p(row);
  const box = chart.parentElement;
  box.scrollLeft = left - box.clientWidth / 2;
  const y = chart.getBoundingClientRect().top + top;
  if (y < 90 || y > window.innerHeight - 40) window.scrollBy(0, y - window.innerHeight / 2);
  window.Plotly.Fx.hover(chart, { xval: column, yval: row }, "xy");
}

function forget(place) {
  late.unobserve(place);
  const chart = place.querySelector(".chart.js-plotly-plot");
  if (chart) window.Plotly.purge(chart);
  place.remove();
}

const SIDEWAYS = "It goes on sideways: scroll, or use the arrow keys.";

function frame({ place, name }, picture) {
  const chart = make("div", { class: "chart", role: "img" });
  // Who scrolls, and who reads it cell by cell, takes the part around it.
  const around = make("div", { class: "scroll", "aria-label": `Figure: ${name}`, "data-keys": name === "confusion" });
  around.append(chart);
  place.replaceChildren(make("p", { class: "sideways-title", hidden: true }), around, make("figcaption", {}, make("span", { class: "sideways quiet" }, SIDEWAYS), " ",
    make("a", { href: picture }, "as PNG")));
  return chart;
}

function showPicture(chart, address) {
  const picture = chart.querySelector("img") ?? make("img");
  picture.alt = chart.getAttribute("aria-label");
  picture.src = `${address}${address.includes("?") ? "&" : "?"}at=${Date.now()}`;
  if (!picture.isConnected) chart.replaceChildren(picture);
}
