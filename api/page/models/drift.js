// Whether what the model in production is asked looks like what it was validated on.

import { byId, cell, counted, fill, make } from "../frame/parts.js";
import { ask } from "../frame/service.js";

const number = (value) => (value === null ? "–" : value.toFixed(3));

export async function showDrift(version) {
  byId("drift").hidden = version === null;
  if (version === null) return;
  const found = await ask(`/models/${version}/drift`);
  byId("drift-sentence").textContent = `Last ${found.days} days: ${counted(found.pictures, "picture")}, ${found.sentence}`;
  fill("drift-table", found.figures.map((one) => make("tr", {},
    cell(one.says), cell(one.seen, true), cell(number(one.psi), true), cell(number(one.by_chance), true),
    cell(one.verdict.replaceAll("_", " ")))));
  byId("drift-missing").textContent = found.missing ? `Missing: ${found.missing}.` : "";
}
