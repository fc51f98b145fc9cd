// Figures of a run: drawn by Plotly from what the server says, or, where its script does not come, the server's pictures.

const NOT_THERE = new Set(["not_ready", "wrong_kind", "not_found"]);
const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false };

let script = null;

// True once Plotly can draw; its 5 MB are asked for when the first figure is.
function plotly() {
  script ??= new Promise((done) => {
    const tag = document.createElement("script");
    tag.src = "/plotly.min.js";
    tag.addEventListener("load", () => done(Boolean(window.Plotly)), { once: true });
    tag.addEventListener("error", () => done(false), { once: true });
    document.head.append(tag);
  });
  return script;
}

// The addresses of the figures that a run of this kind has or will have.
export function figuresOf(run) {
  const base = `/runs/${run.id}/figures`;
  const searches = (run.config.phases ?? [])
    .flatMap((phase, number) => (phase.auto === "find" ? [{ name: "lr-find", path: `${base}/lr-find`, query: `?phase=${number}` }] : []));
  const plain = (name) => ({ name, path: `${base}/${name}`, query: "" });
  if (run.kind === "lr_find") return [plain("lr-find")];
  return run.kind === "train" ? [plain("loss"), plain("schedule"), ...searches, plain("confusion"), plain("reliability")] : [];
}

// Draw into `place`, or draw again over what is there. False where the run does not have the figure yet.
export async function showFigure(place, { path, query }) {
  const answer = await fetch(`${path}${query}`, { headers: { Accept: "application/json" } });
  const figure = await answer.json();
  if (!answer.ok) {
    if (NOT_THERE.has(figure.code)) return false;
    throw new Error(figure.detail);
  }
  const chart = place.querySelector(".chart") ?? frame(place, `${path}.png${query}`);
  const { title, subtitle } = figure.layout.meta;
  chart.setAttribute("aria-label", `${title}. ${subtitle}`);
  const isHeatmap = figure.data[0]?.type === "heatmap";
  if (!isHeatmap) delete figure.layout.width;
  if (await plotly()) await window.Plotly.react(chart, figure.data, figure.layout, CONFIG);
  else showPicture(chart, `${path}.png${query}`);
  return true;
}

// Say what is under the pointer or the keyboard in a confusion figure.
export function readCell(place, row, column) {
  const chart = place.querySelector(".chart.js-plotly-plot");
  if (chart) window.Plotly.Fx.hover(chart, [{ curveNumber: 0, pointNumber: [row, column] }]);
}

export function forget(place) {
  const chart = place.querySelector(".chart.js-plotly-plot");
  if (chart) window.Plotly.purge(chart);
  place.remove();
}

function frame(place, picture) {
  const chart = document.createElement("div");
  chart.className = "chart";
  chart.setAttribute("role", "img");
  const link = document.createElement("a");
  link.href = picture;
  link.textContent = "as PNG";
  const caption = document.createElement("figcaption");
  caption.append(link);
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.append(chart);
  place.replaceChildren(scroll, caption);
  return chart;
}

function showPicture(chart, address) {
  const picture = chart.querySelector("img") ?? document.createElement("img");
  picture.alt = chart.getAttribute("aria-label");
  picture.src = `${address}${address.includes("?") ? "&" : "?"}at=${Date.now()}`;
  if (!picture.isConnected) chart.replaceChildren(picture);
}
