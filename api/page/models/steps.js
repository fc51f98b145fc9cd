// What can be done with a version: putting it where it answers.

import { addressOf } from "../frame/address.js";
import { make } from "../frame/parts.js";
import { beCanary, point } from "./changes.js";

const SHARES = [0.01, 0.05, 0.1, 0.25, 0.5];
const ALIAS = "[A-Za-z][A-Za-z0-9._\\-]{0,63}";

export function stepsOf(version, aliases, after) {
  const of = (name) => aliases.find(({ alias }) => alias === name);
  const [production, shadow] = [of("production"), of("shadow")];
  const button = (text, kind, act) => make("button", { type: "button", class: kind, on: { click: act } }, text);
  const steps = [];
  if (production?.version !== version) steps.push(button("Put into production", null, () => point("production", version, production, after)));
  steps.push(make("a", { class: "button secondary", href: addressOf("", { model: version }) }, "Try it on a photo"));
  if (production && production.version !== version && production.canary?.version !== version) steps.push(canaryForm(production, version, after));
  if (shadow?.version !== version && production?.version !== version) steps.push(button("Run as a shadow", "secondary", () => point("shadow", version, shadow, after)));
  steps.push(aliasForm(version, of, after));
  return steps;
}

function canaryForm(production, version, after) {
  const share = make("select", { "aria-label": "Share of the requests" },
    ...SHARES.map((one) => make("option", { value: one, selected: one === 0.05 }, `${100 * one} %`)));
  const form = make("form", { class: "joined" }, make("button", { type: "submit", class: "secondary" }, "Try as a canary on"), share);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    beCanary(production, version, Number(share.value), after);
  });
  return form;
}

function aliasForm(version, of, after) {
  const name = make("input", { type: "text", "aria-label": "Another alias", placeholder: "another alias", required: true, pattern: ALIAS, maxlength: 64, size: 12, autocomplete: "off", title: "Begin with a letter, and go on with letters, digits, dots, dashes and underscores." });
  const form = make("form", { class: "joined" }, name, make("button", { type: "submit", class: "secondary" }, "Point at it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    point(name.value, version, of(name.value), after);
  });
  return form;
}
