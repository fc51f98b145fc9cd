// The keys there are, and the end of one.

import { confirmed } from "../frame/confirm.js";
import { firstOf } from "../frame/listed.js";
import { byId, fill, make, timeTag } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { writeNew } from "../frame/written.js";
import { askForFirst } from "./key_form.js";

const PAGE = 50;
const MAY = {
  predict: "asks models about photos",
  train: "brings photos in, trains and reviews",
  admin: "does everything here",
};

let wanted = PAGE;

export function showMoreKeys(after) {
  wanted += PAGE;
  tell("view", after());
}

// `session` says whose key this browser is signed in with.
export async function showKeys(session, after) {
  const { items, isAll } = await firstOf("/keys", wanted);
  askForFirst(session.is_open && items.length === 0);
  byId("keys-wait").hidden = true;
  byId("keys").hidden = items.length === 0;
  byId("more-keys").hidden = isAll;
  writeNew("keys", [session, items], () => fill("keys", items.map((key) => row(key, items, session, after))));
}

const isOwn = ({ name, state }, session) => state === "in_use" && name === session.key;

function row(key, keys, session, after) {
  const { name, scope, state, created_by: by, created_at: made, expires_at: ends, last_used_at: used, revoked_at: revoked } = key;
  const part = (label, ...content) => make("td", { "data-label": label }, ...content);
  const own = isOwn(key, session) ? [" ", make("span", { class: "tag drawn" }, "yours")] : [];
  const last = state === "in_use"
    ? make("button", { type: "button", class: "danger", "data-key": `revoke-${key.id}`, "aria-label": `Revoke key ${name}`, on: { click: () => revoke(key, keys, session, after) } }, "Revoke")
    : make("span", {}, state, ...(revoked === null ? [] : [" ", timeTag(revoked)]));
  return make("tr", { "data-key-id": key.id, class: state === "in_use" ? null : "quiet" },
    make("th", { scope: "row", class: "name" }, name, ...own),
    part("Scope", make("span", { class: "tag" }, scope)),
    part("Made", timeTag(made), ...(by === null ? [] : [` by ${by}`])),
    part("Expires", ends === null ? "never" : timeTag(ends)),
    part("Last used", used === null ? "never" : timeTag(used)),
    make("td", {}, last));
}

async function revoke(key, keys, session, after) {
  const others = keys.some((one) => one.id !== key.id && one.state === "in_use" && one.scope === "admin");
  const says = [`Who uses it is refused within a second: a program that ${MAY[key.scope]} with it stops, and browsers that are signed in with it ask for a key. Jobs that it has started go on.`,
    ...isOwn(key, session) ? ["This browser is signed in with it: the page asks you for another key at once."] : [],
    ...key.scope === "admin" && !others && !session.is_open ? ["No other admin key is listed. Without one, keys are made only on the service’s machine, by “pedigree keys create”."] : [],
    "A revoked key cannot be taken back into use. Its name is free for a new one."];
  if (!(await confirmed({ title: `Revoke key ${key.name}?`, says, act: `Revoke ${key.name}`, isDangerous: true }))) return;
  await tell("key", ask(`/keys/${key.id}`, { method: "DELETE" }));
  await tell("view", after());
  // The button that was pressed has gone with what it did.
  if (document.activeElement === document.body) document.querySelector(".view:not([hidden])").focus({ preventScroll: true });
}
