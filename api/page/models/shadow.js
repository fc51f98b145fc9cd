// What a version answered as production's shadow, and where it differs from what went out.

import { byId, cell, make, words } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { comparisonSentence } from "./aliases.js";

export async function showShadow(version) {
  byId("shadow").dataset.version = version;
  const { is_shadow: isShadow, against } = await ask(`/models/${version}/shadow`);
  // Another version is looked at by now.
  if (byId("shadow").dataset.version !== String(version)) return;
  byId("shadow-part").hidden = !isShadow && !against.length;
  const first = isShadow ? "It answers production’s photos too, afterwards and seen by nobody." : "It is no shadow any more; this is what it answered as one.";
  byId("shadow").replaceChildren(make("p", { class: "quiet" }, first),
    ...against.length ? against.flatMap(comparisonParts) : [make("p", {}, "Nothing was compared yet.")]);
}

function comparisonParts(one) {
  return [make("p", {}, comparisonSentence(one)), one.pairs.length ? pairsTable(one) : ""];
}

function pairsTable({ version, pairs }) {
  const head = [`Version ${version} said`, "This one said", "Photos", "Mean difference"];
  return make("div", { class: "scroll", "aria-label": `Breeds where it differs from version ${version}` }, make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((name, i) => make("th", { scope: "col", class: i > 1 ? "number" : null }, name)))),
    make("tbody", {}, ...pairs.map(({ served, shadow, photos, mean_difference: mean }) => make("tr", {},
      cell(words(served)), cell(words(shadow)), cell(photos, true), cell(mean.toFixed(3), true))))));
}
