// The arrow keys read the confusion figure cell by cell; what they read stands over it and stays in sight.

import { readCell } from "/figures.js";
import { make, percent, words } from "/parts.js";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function walkable(board, { vocab, matrix }) {
  const figure = board.figures.find(({ name }) => name === "confusion");
  if (!figure?.found || !vocab.length) return;
  const part = figure.place.querySelector(".scroll");
  figure.place.querySelector(".cell")?.remove();
  const line = make("p", { class: "cell", id: "cell", "aria-live": "polite" }, "The arrow keys read cell by cell.");
  figure.place.prepend(line);
  part.tabIndex = 0;
  // A screen reader leaves the arrow keys to an application.
  part.setAttribute("role", "application");
  part.setAttribute("aria-label", `Confusion matrix of ${vocab.length} breeds, rows actual, columns predicted: the arrow keys read cell by cell`);
  part.setAttribute("aria-describedby", "cell");
  let at = null;
  part.onkeydown = (event) => {
    if (!STEPS[event.key] || event.target !== part) return;
    event.preventDefault();
    const within = (position) => Math.min(vocab.length - 1, Math.max(0, position));
    at = at === null ? [0, 0] : at.map((position, axis) => within(position + STEPS[event.key][axis]));
    line.textContent = reading(vocab, matrix, at);
    readCell(figure, at, vocab.length);
  };
}

function reading(vocab, matrix, [row, column]) {
  const all = matrix[row].reduce((sum, count) => sum + count, 0);
  const count = matrix[row][column];
  const share = all ? `, ${percent(count / all)}` : "";
  const what = row === column ? "recognised" : `taken for ${words(vocab[column])}`;
  return `${words(vocab[row])} ${what}: ${count} of ${all}${share}`;
}
