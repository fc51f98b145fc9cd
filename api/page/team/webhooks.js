// Webhooks: who is told when jobs end, what came of it, a test, and the end of one.

import { confirmed } from "../frame/confirm.js";
import { firstOf } from "../frame/listed.js";
import { byId, make, timeTag } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { writeNew } from "../frame/written.js";
import { deliveryLine } from "./deliveries.js";
import { allowHosts, kindName } from "./webhook_form.js";

const PAGE = 20;
const TOLD = 20;

// Whose deliveries somebody has opened.
const opened = new Set();
let wanted = PAGE;
let asked = 0;

export function showMoreWebhooks(after) {
  wanted += PAGE;
  tell("view", after());
}

export async function showWebhooks(after) {
  const question = ++asked;
  const { items, isAll, hosts } = await firstOf("/webhooks", wanted);
  const told = await Promise.all(items.map(readTold));
  if (question !== asked) return;
  allowHosts(hosts);
  byId("webhooks-wait").hidden = true;
  byId("no-webhooks").hidden = items.length > 0 || hosts.length === 0;
  byId("more-webhooks").hidden = isAll;
  writeNew("webhooks", [hosts, items, told, [...opened]], (list) =>
    list.replaceChildren(...items.map((webhook, place) => card(webhook, told[place], hosts, after))));
}

// The last delivery, or the last ones; of a webhook that somebody has just removed there is none.
async function readTold({ id, last }) {
  if (!opened.has(id)) return last === null ? [] : [last];
  try {
    return (await ask(`/webhooks/${id}/deliveries?limit=${TOLD}`)).items;
  } catch (error) {
    if (error.code !== "not_found") throw error;
    return [];
  }
}

function card(webhook, told, hosts, after) {
  const { id, url, created_by: by, created_at: made, gone_at: gone } = webhook;
  // The service takes some addresses that a browser does not.
  const isCalled = !URL.canParse(url) || hosts.includes(new URL(url).origin);
  const part = (isShown, ...content) => (isShown ? [make("p", { class: "bad" }, ...content)] : []);
  return make("li", { class: "card", "data-webhook": id },
    make("h3", {}, url),
    make("p", { class: "quiet" }, toldOf(webhook), `. Made by ${by}, `, timeTag(made)),
    ...part(!isCalled, "It is not called: PEDIGREE_WEBHOOK_HOSTS does not list its host."),
    ...part(gone !== null, "Its receiver has said that it is gone (410): it is told of nothing more until it takes a test."),
    make("p", {}, "Last: ", ...(told.length ? [deliveryLine(told[0], "span")] : ["it was told nothing yet."])),
    make("div", { class: "toolbar" },
      ...(isCalled ? [button(id, "test", "Send a test", "secondary", `Send webhook ${id} a test`, () => test(id, after))] : []),
      button(id, "remove", "Remove", "danger", `Remove webhook ${id}`, () => remove(webhook, told, after))),
    ...(told.length ? [deliveries(id, told, after)] : []));
}

const button = (id, verb, text, style, label, act) =>
  make("button", { type: "button", class: style, "data-key": `${verb}-${id}`, "aria-label": label, on: { click: act } }, text);

function toldOf({ events, kinds }) {
  const ends = events === null ? "each end" : events.map((event) => event.replace("job.", "")).join(", ");
  return `Told of ${ends}, ${kinds === null ? "all kinds of jobs" : `of jobs: ${kinds.map(kindName).join(", ")}`}`;
}

function deliveries(id, told, after) {
  const isOpen = opened.has(id);
  const details = make("details", { open: isOpen }, make("summary", { "data-key": `told-${id}` }, "What it was told"),
    ...(isOpen ? [make("ul", {}, ...told.map((one) => deliveryLine(one)))] : []));
  details.addEventListener("toggle", () => {
    if (details.open === opened.has(id)) return;
    if (details.open) opened.add(id);
    else opened.delete(id);
    tell("view", after());
  });
  return details;
}

async function test(id, after) {
  await tell("webhook", ask(`/webhooks/${id}/test`, { method: "POST" }));
  await tell("view", after());
}

async function remove({ id, url }, told, after) {
  const waits = told.some(({ state }) => state === "waiting");
  const says = [`${url} is told of no job’s end any more, and its secret is good for nothing.`,
    `What it was told goes with it${waits ? ", and what waits to be sent is not sent" : ""}.`];
  if (!(await confirmed({ title: `Remove webhook ${id}?`, says, act: "Remove it", isDangerous: true }))) return;
  await tell("webhook", ask(`/webhooks/${id}`, { method: "DELETE" }));
  await tell("view", after());
  // The button that was pressed has gone with what it did.
  if (document.activeElement === document.body) document.querySelector(".view:not([hidden])").focus({ preventScroll: true });
}
