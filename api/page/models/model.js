// The view of one version.

import { addressOf } from "../frame/address.js";
import { byId, datasetLink, drawnTag, make, percent, runLink } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { localTime } from "../frame/times.js";
import { aliasCard, leaveModels, readAliases } from "./aliases.js";
import { showDrift } from "./drift.js";
import { showExports } from "./exports.js";
import { showShadow } from "./shadow.js";
import { stepsOf } from "./steps.js";
import { aliasTags } from "./versions.js";
import { showWays } from "./ways.js";

let version = null;
let shown = "";

async function show() {
  const asked = version;
  const [found, aliases] = await Promise.all([ask(`/models/${asked}`), readAliases()]);
  if (asked !== version) return;
  const now = JSON.stringify([found, aliases]);
  if (now !== shown) {
    shown = now;
    byId("model-parts").hidden = false;
    showFacts(found);
    byId("model-steps").replaceChildren(...stepsOf(asked, aliases, show));
    showStands(asked, aliases);
    showWays(found.choices);
  }
  await Promise.all([showShadow(asked), showDrift(byId("model-drift"), asked)]);
}

async function shownOrMissing() {
  try {
    await show();
  } catch (error) {
    if (!shown && !error.isAway) byId("model-facts").textContent = "Nothing is known of it.";
    throw error;
  }
}

function showFacts(found) {
  const errors = found.error_rate === null ? "" : `, wrong on ${percent(found.error_rate)} of its validation photos`;
  const calibration = found.calibration_error === null ? "" : `; its probabilities are off by ${found.calibration_error.toFixed(3)} in the mean`;
  byId("model-title").replaceChildren(`Version ${found.version} `, ...aliasTags(found));
  byId("model-facts").replaceChildren(`${found.arch}, trained on `, datasetLink(found.dataset), ...found.drawn ? [" ", drawnTag(true)] : [], " in ",
    runLink(found.run), `${errors}${calibration}. Registered ${localTime(found.created_at)}.`);
}

function showStands(number, aliases) {
  const here = aliases.filter((one) => one.version === number || one.canary?.version === number);
  byId("stands").replaceChildren(...here.length ? here.map((one) => aliasCard(one, null, show))
    : [make("li", { class: "quiet" }, "No alias points at it. It answers who asks for it by number: ",
      make("a", { href: addressOf("", { model: number }) }, "try it"), ".")]);
}

export const model = {
  title: ({ version: number }) => `Version ${number}`,
  open({ version: number }) {
    if (version !== number) {
      byId("model-title").textContent = `Version ${number}`;
      byId("model-facts").textContent = "Reading the version…";
      byId("model-steps").replaceChildren();
      byId("model-parts").hidden = true;
      shown = "";
      showExports(number);
    }
    version = number;
    return shownOrMissing();
  },
  refresh: show,
  close: leaveModels,
};
