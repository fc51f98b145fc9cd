// The arrow keys read the confusion figure cell by cell; what they read stands over it and stays in sight.

import { readCell } from "../frame/figures.js";
import { make } from "../frame/parts.js";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// The server escapes the texts of its figures for Plotly.
const PLAIN = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'" };
const plain = (text) => text.replace(/&(?:amp|lt|gt|quot|#x27);/g, (sign) => PLAIN[sign]);

// `open` is called with a cell, [row, column], that was clicked or that Enter was pressed on.
export function walkable(board, open) {
  const figure = board.figures.find(({ name }) => name === "confusion");
  const breeds = figure?.found?.data[0].y.length;
  if (!breeds) return;
  const part = figure.place.querySelector(".scroll");
  figure.place.querySelector(".cell")?.remove();
  const line = make("p", { class: "cell", id: "cell", "aria-live": "polite" }, "The arrow keys read cell by cell; Enter, or a click, shows the photos.");
  figure.place.prepend(line);
  part.tabIndex = 0;
  // A screen reader leaves the arrow keys to an application.
  part.setAttribute("role", "application");
  part.setAttribute("aria-label", `Confusion matrix of ${breeds} breeds, rows actual, columns predicted: the arrow keys read cell by cell, Enter shows the photos`);
  part.setAttribute("aria-describedby", "cell");
  const chart = part.querySelector(".js-plotly-plot");
  chart?.removeAllListeners("plotly_click");
  chart?.on("plotly_click", ({ points: [{ pointNumber: [row, column] }] }) => open([row, column]));
  let at = null;
  part.onkeydown = (event) => {
    if (event.key === "Enter" && at !== null && event.target === part) open(at);
    if (!STEPS[event.key] || event.target !== part) return;
    event.preventDefault();
    const within = (position) => Math.min(breeds - 1, Math.max(0, position));
    at = at === null ? [0, 0] : at.map((position, axis) => within(position + STEPS[event.key][axis]));
    line.textContent = plain(figure.found.data[0].hovertext[at[0]][at[1]]);
    readCell(figure, at);
  };
}
