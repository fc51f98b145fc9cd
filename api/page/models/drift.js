// Whether what a version is asked looks like what it was validated on.

import { cell, counted, make } from "../frame/parts.js";
import { ask } from "../frame/service.js";

const number = (value) => (value === null ? "–" : value.toFixed(3));
const COLUMNS = [["Figure"], ["Photos", true], ["Drift (PSI)", true], ["By chance up to", true], ["Verdict"]];

export async function showDrift(place, version) {
  place.dataset.version = version;
  const found = await ask(`/models/${version}/drift`);
  // Another version is looked at by now.
  if (place.dataset.version !== String(version)) return;
  if (!found.photos) {
    place.replaceChildren(make("p", { class: "sentence" }, `No answer was counted in the last ${found.days} days. New ones are counted within a minute.`));
    return;
  }
  // Opened by somebody it stays open while it is read anew.
  const isOpen = place.querySelector("details")?.open ?? false;
  const table = make("table", {},
    make("thead", {}, make("tr", {}, ...COLUMNS.map(([name, isNumber]) => make("th", { scope: "col", class: isNumber ? "number" : null }, name)))),
    make("tbody", {}, ...found.figures.map((one) => make("tr", {},
      cell(one.says), cell(one.seen, true), cell(number(one.psi), true), cell(number(one.by_chance), true),
      cell(one.verdict.replaceAll("_", " "))))));
  const figures = found.figures.length
    ? make("details", { open: isOpen }, make("summary", {}, "Figures"),
      make("div", { class: "scroll", "aria-label": "Figures of the last days beside the validation side" }, table)) : "";
  place.replaceChildren(
    make("p", { class: "sentence" }, `Last ${found.days} days: ${counted(found.photos, "photo")}, ${found.sentence}`), figures,
    found.missing ? make("p", { class: "quiet" }, `Missing: ${found.missing}.`) : "");
}
