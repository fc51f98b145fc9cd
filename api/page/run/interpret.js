// Having a run interpreted: once more on its own validation photos, or on all photos of a dataset.

import { allDatasets } from "../frame/listed.js";
import { askOnce } from "../frame/once.js";
import { byId, make } from "../frame/parts.js";
import { tell } from "../frame/service.js";

let offered = null;

// `renew` looks what interpretations are under way. Comes to what is still to be read of the form.
export function offerInterpretation(run, isPossible, renew) {
  const place = byId("interpret");
  place.hidden = !isPossible;
  if (offered !== run.id) {
    offered = run.id;
    place.open = false;
    byId("interpret-wrong").textContent = "";
  }
  place.ontoggle = () => { if (place.open) tell("interpret", showChoice(run)); };
  byId("interpret-form").onsubmit = (event) => {
    event.preventDefault();
    begin(run, renew);
  };
  const isMissing = place.open && byId("interpret-on").options.length === 0;
  return isMissing ? showChoice(run) : null;
}

async function showChoice(run) {
  const items = await allDatasets();
  if (offered !== run.id) return;
  const select = byId("interpret-on");
  const before = items.some(({ name }) => name === select.value) ? select.value : "";
  select.replaceChildren(make("option", { value: "" }, "its own validation photos"),
    ...items.map(({ name }) => make("option", { value: name }, `all photos of ${name}`)));
  select.value = before;
}

async function begin(run, renew) {
  const config = { tta: byId("interpret-tta").checked, dataset: byId("interpret-on").value || null };
  const body = JSON.stringify({ kind: "interpret", run: run.id, config });
  let wrong = "";
  byId("interpret-start").disabled = true;
  try {
    await askOnce("/jobs", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch (error) {
    wrong = error.message;
  }
  byId("interpret-start").disabled = false;
  if (offered !== run.id) return;
  byId("interpret-wrong").textContent = wrong;
  if (!wrong) fold();
  await tell("run", renew());
}

function fold() {
  byId("interpret").open = false;
  byId("interpret").querySelector("summary").focus();
}
