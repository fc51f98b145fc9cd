// On which terms photos are answered: by which version, and with which set of breeds. They stand in the address.

import { amend, placeOf } from "../frame/address.js";
import { byId, make, percent } from "../frame/parts.js";
import { registered } from "../models/served.js";
import { keptQuery } from "./feedback.js";

const PRODUCTION = "production";
const NAME = /^([A-Za-z][A-Za-z0-9._-]{0,63}|[0-9]{1,18})$/;
const TOP = 5;

let asked = null;

// The version that answers where the address names none: production's, or the newest.
let standIn = null;

// Whether they are others than before. What the address says and cannot be is an error.
export function readTerms() {
  const { query } = placeOf();
  const [model, coverage] = [query.get("model"), query.get("coverage")];
  if (model !== null && !NAME.test(model)) throw new Error("No version is named so. Choose one beside “Answered by”.");
  if (coverage !== null && ![...byId("coverage").options].some(({ value }) => value && value === coverage)) {
    throw new Error("There are no sets of breeds for that share. Choose one beside “Set of breeds”.");
  }
  const before = asked;
  asked = JSON.stringify({ model, coverage });
  byId("coverage").value = coverage ?? "";
  return before !== null && before !== asked;
}

const terms = () => JSON.parse(asked ?? "{}");

// The query of POST /predict, the same for the page and for who copies it.
export function termsQuery() {
  const { model, coverage } = terms();
  const values = { top_k: TOP, model: model ?? standIn, coverage, keep: keptQuery() };
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
}

// Where a model cannot answer on these terms: the terms on which it can.
export function easierTerms({ code }) {
  const { model, coverage } = terms();
  const button = (text, changes) => [make("button", { type: "button", class: "secondary", on: { click: () => amend(changes) } }, text)];
  if (code === "not_ready" && coverage) return button("Ask without a set", { coverage: null });
  return code === "not_found" && model ? button("Ask another model", { model: null }) : [];
}

export function prepareTerms() {
  byId("model").addEventListener("change", ({ target }) => amend({ model: target.value || null }));
  byId("coverage").addEventListener("change", ({ target }) => amend({ coverage: target.value || null }));
}

// The versions to choose from: by alias first, then all.
export async function showVersions() {
  const versions = await registered();
  const served = versions.find(({ aliases }) => aliases.includes(PRODUCTION));
  standIn = served || !versions.length ? null : String(versions[0].version);
  const first = served ? option("", `${PRODUCTION}: ${said(served)}`)
    : option("", versions.length ? `the newest: ${said(versions[0])}` : "no model yet");
  const aliased = versions.flatMap((one) => one.aliases.filter((name) => name !== PRODUCTION).sort()
    .map((name) => option(name, `${name}: ${said(one)}`)));
  const options = [first, ...aliased, ...versions.map((one) => option(String(one.version), said(one)))];
  const { model } = terms();
  if (model && !options.some(({ value }) => value === model)) options.push(option(model, /^\d/.test(model) ? `version ${model}` : model));
  byId("model").replaceChildren(...options);
  byId("model").value = model ?? "";
  byId("terms").hidden = versions.length === 0;
}

const option = (value, text) => make("option", { value }, text);

const said = ({ version, arch, error_rate: errors }) =>
  `version ${version} · ${arch}${errors === null ? "" : ` · ${percent(errors)} errors`}`;
