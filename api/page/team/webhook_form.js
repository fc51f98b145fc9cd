// Making a webhook, where there is a host that may be called.

import { byId, whileBusy } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { showOnce, visitNow } from "./shown_once.js";

const boxes = (name) => [...byId("webhook-form").querySelectorAll(`[name="${name}"]`)];

// A kind of jobs as the form has it.
export const kindName = (kind) => boxes("kinds").find(({ value }) => value === kind)?.parentElement.textContent.trim() ?? kind;

export function prepareWebhookForm(after) {
  byId("webhook-form").oninput = () => {
    byId("webhook-url").removeAttribute("aria-invalid");
    byId("webhook-trouble").textContent = "";
  };
  byId("webhook-form").onsubmit = (event) => {
    event.preventDefault();
    whileBusy(byId("webhook-make"), () => makeWebhook(after));
  };
}

// Without one the form could only fail.
export function allowHosts(hosts) {
  byId("webhooks-closed").hidden = hosts.length > 0;
  byId("webhook-form").hidden = hosts.length === 0;
  byId("webhook-hosts").textContent = `May be called: ${hosts.join(", ")} (PEDIGREE_WEBHOOK_HOSTS).`;
}

// All of them is what the service takes null for: it stays so where another comes.
function chosen(name) {
  const of = boxes(name);
  return of.every(({ checked }) => checked) ? null : of.filter(({ checked }) => checked).map(({ value }) => value);
}

async function makeWebhook(after) {
  const visit = visitNow();
  const body = { url: byId("webhook-url").value.trim(), events: chosen("events"), kinds: chosen("kinds") };
  byId("webhook-trouble").textContent = ["events", "kinds"].some((name) => body[name]?.length === 0) ? "Choose one end and one kind of jobs at least." : "";
  if (byId("webhook-trouble").textContent) return;
  let made;
  try {
    made = await ask("/webhooks", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch (error) {
    byId("webhook-trouble").textContent = error.message;
    if (error.problem?.field === "body.url") byId("webhook-url").setAttribute("aria-invalid", "true");
    return;
  }
  if (visit === visitNow()) {
    byId("webhook-form").reset();
    showOnce("webhook-once", `Webhook ${made.id} is made; this is its secret.`, made.secret, "Its receiver needs it to know that a request is from here (Standard Webhooks). Send it a test below.");
  } else {
    tell("webhook", Promise.reject(new Error(`Webhook ${made.id} was made after you had left its view, and nobody has seen its secret. Remove it there, and make another.`)));
  }
  await tell("view", after());
}
