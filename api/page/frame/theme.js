// Charts in the colours of the page: the server's figures are drawn for white paper.

// The colours of api/figures/palette.py, and the style's names for them.
const ROLES = {
  "#FFFFFF": "--chart-ground", "#1F2328": "--chart-ink", "#5C646D": "--chart-quiet", "#E6E8EB": "--chart-grid",
  "#0072B2": "--chart-blue", "#D55E00": "--chart-vermilion", "#009E73": "--chart-green", "#CC79A7": "--chart-purple",
  "#E69F00": "--chart-orange", "#56B4E9": "--chart-sky", "#9AA0A6": "--chart-grey",
};
const SHADES = "--chart-shades";

export const scheme = matchMedia("(prefers-color-scheme: dark)");

const valueOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The same figure in the colours of now; what it was made of stays as it is.
export function themed(figure) {
  if (Array.isArray(figure)) return figure.map(themed);
  if (typeof figure === "string") return ROLES[figure] ? valueOf(ROLES[figure]) : figure;
  if (figure === null || typeof figure !== "object") return figure;
  const parts = Object.entries(figure).map(([name, part]) => [name, name === "colorscale" ? shades(part) : themed(part)]);
  return Object.fromEntries(parts);
}

function shades(scale) {
  const colours = valueOf(SHADES).split(/,\s*/);
  return scale.map(([place], number) => [place, colours[number]]);
}
