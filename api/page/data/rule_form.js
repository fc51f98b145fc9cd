// The form between an upload and its import: the dataset's name, the label rule and what it makes of the names.

import { addressOf } from "../frame/address.js";
import { askOnce } from "../frame/once.js";
import { byId, make } from "../frame/parts.js";
import { outcome, PATTERNS, RULES, tried } from "./trial.js";
import { formOf, keepForm } from "./unfinished.js";

const SOON_MS = 350;
const AGAIN_MS = 5000;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

let subject = null;
let found = null;
let asked = 0;
let soon = 0;
let imported = () => {};

const chosen = () => RULES[byId("rule").value];
const fields = () => ({
  ...chosen().fields({ level: byId("rule-level").value, regex: byId("rule-regex").value.trim() }),
  merge_labels: byId("rule-merge").checked,
});

const nameFrom = (text) => text.toLowerCase().replace(/\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz)$/g, "").replace(/\.tar$/, "")
  .replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+|-+$/g, "").slice(0, 64);

// Show the form for an upload: `names` where they are known before it has come, `id` once it has.
export function askForRule(next, whenImported) {
  const isNew = next.key !== subject?.key;
  const isOther = isNew || next.id !== subject?.id;
  subject = next;
  imported = whenImported;
  byId("rule-form").hidden = !(next.id || next.names);
  const form = isNew ? formOf(next.key) : null;
  if (isNew) reset(next.name, form);
  if (isOther && !byId("rule-form").hidden) attempt(isNew && !form.rule);
  settle();
}

export function hideRule() {
  clearTimeout(soon);
  subject = found = null;
  byId("rule-form").hidden = true;
}

function reset(name, { dataset = nameFrom(name), rule = "name", level = "1", regex = "", merges = false }) {
  found = null;
  byId("dataset-name").value = dataset;
  byId("rule").value = rule;
  byId("rule-level").value = level;
  byId("rule-regex").value = regex;
  byId("rule-merge").checked = merges;
  byId("rule-outcome").replaceChildren();
}

const keep = () => keepForm(subject.key, {
  dataset: byId("dataset-name").value, rule: byId("rule").value, level: byId("rule-level").value,
  regex: byId("rule-regex").value, merges: byId("rule-merge").checked,
});

// Try the rule; where the usual one finds nothing, the folders are tried too.
async function attempt(isFirst = false) {
  const number = asked += 1;
  byId("rule-extra-level").hidden = chosen().extra !== "level";
  byId("rule-extra-regex").hidden = chosen().extra !== "regex";
  byId("rule-outcome").setAttribute("aria-busy", "true");
  let parts;
  try {
    const result = await tried(subject, fields());
    if (number !== asked) return;
    if (isFirst && result.labelled < result.photos / 2 && byId("rule").value === "name") {
      byId("rule").value = "folder";
      attempt();
      return;
    }
    found = result;
    parts = outcome(result);
  } catch (error) {
    if (number !== asked) return;
    found = null;
    parts = [make("p", { class: "bad" }, error.message)];
    if (error.isAway) attemptSoon(isFirst, AGAIN_MS);
  }
  byId("rule-outcome").removeAttribute("aria-busy");
  byId("rule-outcome").replaceChildren(...parts);
  settle();
}

// What is still missing before the import can begin.
function missing() {
  if (!NAME.test(byId("dataset-name").value)) return "Give the dataset a name of small letters, digits, dots and hyphens.";
  if (!found) return "Choose a rule that can be used.";
  if (found.labels < 2) return "Choose a rule that finds at least two breeds.";
  return subject?.id ? "" : "It can be imported once it has arrived.";
}

function settle() {
  const reason = missing();
  byId("import").disabled = Boolean(reason);
  byId("import-missing").textContent = reason;
  byId("label-first").hidden = !subject?.id;
  if (subject?.id) byId("label-first").href = addressOf("label", { upload: subject.id });
}

async function importIt() {
  const form = new FormData();
  form.append("name", byId("dataset-name").value);
  form.append("upload", subject.id);
  for (const [name, value] of Object.entries(fields())) form.append(name, value);
  byId("import").disabled = true;
  try {
    const job = await askOnce("/datasets", { method: "POST", body: form }, [...form]);
    imported(job);
  } catch (error) {
    byId("import-missing").textContent = error.message;
    byId("import").disabled = false;
  }
}

function attemptSoon(isFirst = false, restMs = SOON_MS) {
  clearTimeout(soon);
  soon = setTimeout(() => { if (subject) attempt(isFirst); }, restMs);
}

export function prepareRuleForm() {
  byId("rule").append(...Object.entries(RULES).map(([value, { says }]) => make("option", { value }, says)));
  byId("patterns").append(...Object.entries(PATTERNS).map(([says, regex]) => make("button", {
    type: "button", class: "secondary small", on: { click: () => { byId("rule-regex").value = regex; keep(); attempt(); } },
  }, says)));
  byId("rule").addEventListener("change", () => attempt());
  byId("rule-merge").addEventListener("change", () => attempt());
  for (const id of ["rule-regex", "rule-level"]) byId(id).addEventListener("input", () => attemptSoon());
  byId("dataset-name").addEventListener("input", settle);
  byId("rule-form").addEventListener("input", keep);
  byId("rule-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!missing()) importIt();
  });
}
