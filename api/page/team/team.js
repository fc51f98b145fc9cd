// What a service needs that more than one person uses: keys, webhooks, the record of changes, and what each may take.

import { byId, make } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { writeNew } from "../frame/written.js";
import { prepareChanges, showChanges } from "./changes.js";
import { prepareKeyForm } from "./key_form.js";
import { showKeys, showMoreKeys } from "./keys.js";
import { showLimits } from "./limits.js";
import { forgetSecrets } from "./shown_once.js";
import { prepareWebhookForm } from "./webhook_form.js";
import { showMoreWebhooks, showWebhooks } from "./webhooks.js";

const ADMIN = "admin";
const OF_ADMINS = ["team-keys", "team-webhooks", "team-changes"];

let asked = 0;

async function show() {
  const question = ++asked;
  const session = await ask("/session");
  if (question !== asked) return;
  const isAdmin = session.scope === ADMIN;
  writeNew("team-who", session, (place) => place.replaceChildren(...whoOf(session)));
  for (const part of OF_ADMINS) byId(part).hidden = !isAdmin;
  // Somebody else has signed in.
  if (!isAdmin) forgetSecrets();
  await Promise.all([showLimits(), ...(isAdmin ? [showKeys(session, show), showWebhooks(show), showChanges()] : [])]);
}

function whoOf({ is_open: isOpen, key, scope }) {
  if (isOpen) return ["No key is asked for: who reaches this service may do everything with it."];
  const who = [make("strong", {}, key), `, scope ${scope}.`];
  if (scope === ADMIN) return ["You are signed in with the key ", ...who];
  return ["You are signed in with the key ", ...who, " Keys, webhooks and the record of changes need one of the scope admin: sign out, at the end of the page, and sign in with such a key, or ask who gave you yours."];
}

// A page that is left stays whole in the browser for the way back.
addEventListener("pagehide", forgetSecrets);

export const team = {
  title: () => "Team",
  open() {
    prepareKeyForm(show);
    prepareWebhookForm(show);
    prepareChanges(show);
    byId("more-webhooks").onclick = () => showMoreWebhooks(show);
    byId("more-keys").onclick = () => showMoreKeys(show);
    return show();
  },
  turn: show,
  refresh: show,
  close() {
    asked += 1;
    forgetSecrets();
  },
};
