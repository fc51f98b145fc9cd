// The best trial so far, and what can be done with it.

import { addressOf } from "../frame/address.js";
import { make, percent, runLink } from "../frame/parts.js";
import { shownSetting } from "./settings.js";

export const shownValue = (objective, value) => {
  if (value === null) return "–";
  return objective === "valid_loss" ? value.toFixed(4) : percent(value);
};

const SOUGHT = { error_rate: "error rate", valid_loss: "validation loss", macro_error: "mean error rate of the breeds" };
export const soughtOf = (objective) => SOUGHT[objective];

export function bestCard({ study, state }) {
  const { best, asked } = study;
  if (best === null) return state === "running" ? [make("p", { class: "quiet" }, "No trial has trained to its end yet.")] : [];
  const settings = Object.entries(best.settings).map(([name, value]) => make("span", { class: "tag" }, `${name} ${shownSetting(value)}`));
  return [make("div", { class: "card best" },
    make("strong", { class: "figure" }, shownValue(asked.objective, best.value)),
    make("div", {}, `${soughtOf(asked.objective)} in `, runLink(best.run), `, trial ${best.trial}`, ...versionOf(study)),
    make("div", { class: "tags" }, ...settings))];
}

function versionOf({ version }) {
  if (version === null) return [];
  return [". It is ", make("a", { href: addressOf(`models/${version}`) }, `version ${version}`), ", a candidate without an alias."];
}
