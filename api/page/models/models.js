// The versions of models, and which of them answers.

import { byId } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { writeNew } from "../frame/written.js";
import { aliasCard, leaveModels, readAliases } from "./aliases.js";
import { showDrift } from "./drift.js";
import { readVersions, showMoreVersions, showVersionTable } from "./versions.js";

async function show() {
  const [aliases, found] = await Promise.all([readAliases(), readVersions()]);
  const shadow = aliases.find(({ alias }) => alias === "shadow");
  const production = aliases.find(({ alias }) => alias === "production");
  const comparison = shadow ? await comparedNow(shadow.version, production?.version) : null;
  // An open history and what has the focus stay while nothing has changed.
  writeNew("aliases", [aliases, found, comparison], (place) => {
    byId("models-wait").hidden = true;
    byId("no-versions").hidden = found.items.length > 0;
    place.replaceChildren(...aliases.map((one) => aliasCard(one, one === shadow ? comparison : null, show)));
    showVersionTable(found);
  });
  byId("drift-part").hidden = !production;
  if (production) await showDrift(byId("drift"), production.version);
}

async function comparedNow(version, served) {
  const { against } = await ask(`/models/${version}/shadow`);
  return against.find((one) => one.version === served) ?? null;
}

export const models = {
  title: () => "Models",
  open() {
    byId("more-versions").onclick = () => {
      showMoreVersions();
      tell("view", show());
    };
    return show();
  },
  refresh: show,
  close: leaveModels,
};
