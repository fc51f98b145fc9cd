// Making a key.

import { confirmed } from "../frame/confirm.js";
import { byId, whileBusy } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { signInWith } from "../frame/session.js";
import { localTime } from "../frame/times.js";
import { showOnce, visitNow } from "./shown_once.js";

const DAY_MS = 24 * 60 * 60 * 1000;

let isFirst = false;

const FIRST = {
  title: "Make the first key?",
  says: ["From then on every request needs a key, from this machine too: programs and commands that send none are refused.",
    "Nothing opens the service again but PEDIGREE_OPEN=yes. This browser is signed in with the new key."],
  act: "Make the first key",
  keep: "Not now",
};

export function prepareKeyForm(after) {
  byId("key-ends").onchange = settle;
  byId("key-form").oninput = ({ target }) => {
    target.removeAttribute("aria-invalid");
    byId("key-trouble").textContent = "";
  };
  byId("key-form").onsubmit = async (event) => {
    event.preventDefault();
    if (!isFirst || await confirmed(FIRST)) whileBusy(byId("key-make"), () => makeKey(after));
  };
  settle();
}

// The first key has to be one that makes others.
export function askForFirst(first) {
  byId("key-first").hidden = !first;
  if (first === isFirst) return;
  isFirst = first;
  for (const option of byId("key-scope").options) option.disabled = first && option.value !== "admin";
  byId("key-scope").value = first ? "admin" : "predict";
  byId("key-make").textContent = first ? "Make the first key" : "Make the key";
}

function settle() {
  const isDay = byId("key-ends").value === "day";
  byId("key-day-field").hidden = !isDay;
  byId("key-day").required = isDay;
  byId("key-day").min = tomorrow();
}

// As the input takes it: by the calendar here.
function tomorrow() {
  const day = new Date(Date.now() + DAY_MS);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

function endOf(ends) {
  if (!ends) return null;
  // Without a time of day it would be one of UTC.
  const when = ends === "day" ? new Date(`${byId("key-day").value}T00:00`) : new Date(Date.now() + Number(ends) * DAY_MS);
  return when.toISOString();
}

async function makeKey(after) {
  byId("key-trouble").textContent = "";
  const [visit, first] = [visitNow(), isFirst];
  const body = { name: byId("key-name").value.trim(), scope: byId("key-scope").value, expires_at: endOf(byId("key-ends").value) };
  let made;
  try {
    made = await ask("/keys", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch (error) {
    refused(error);
    return;
  }
  if (first) await signInWith(made.key);
  if (visit === visitNow()) show(made);
  else tell("key", Promise.reject(new Error(`Key ${made.name} was made after you had left its view, and nobody has seen it. Revoke it there, and make another.`)));
  await tell("view", after());
}

function refused({ message, problem }) {
  byId("key-trouble").textContent = message;
  const field = byId("key-form").querySelector(`[name="${CSS.escape(problem?.field?.split(".").at(-1) ?? "")}"]`);
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
}

function show({ name, scope, key, expires_at: ends }) {
  byId("key-form").reset();
  settle();
  const until = ends === null ? "" : `, until ${localTime(ends)}`;
  showOnce("key-once", `Key ${name} is made.`, key, `It has the scope ${scope}${until}. The command and the Python client read it from PEDIGREE_KEY; other programs send it as “Authorization: Bearer …”.`);
}
