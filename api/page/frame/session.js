// The key: asked for where the service wants one, and given for a cookie that no script can read.

import { at } from "./address.js";
import { byId, make } from "./parts.js";

const REFUSED = "The service does not know this key, or it was revoked, or has expired.";
const AWAY = "The service does not answer. Try again in a moment.";
// What can stand in a header.
const SENDABLE = /^[\x21-\x7e]{1,200}$/;
const TRIES = 4;
const REST_MS = 500;

let asking = null;
let settled = () => {};

// Comes back once somebody has given a key that the service takes: one question for all requests that wait.
export function keyGiven() {
  asking ??= new Promise(askFor).finally(() => { asking = null; });
  return asking;
}

function askFor(done) {
  const input = make("input", { id: "key-text", type: "password", autocomplete: "current-password", required: true, placeholder: "pdg_…", "aria-describedby": "key-wrong" });
  const wrong = make("p", { id: "key-wrong", class: "bad", role: "alert" });
  const button = make("button", {}, "Sign in");
  const form = make("form", { on: { submit: (event) => { event.preventDefault(); give(); } } },
    make("div", { class: "field" }, make("label", { for: "key-text" }, "Key"), input),
    wrong,
    make("div", { class: "toolbar end" }, button));
  const way = make("div", { class: "way" });
  const dialog = make("dialog", { class: "key", "aria-labelledby": "key-title" },
    make("h2", { id: "key-title" }, "Sign in"),
    way,
    make("p", { class: "quiet" }, "This service asks for a key. The people who run it give you one."),
    form);
  offerProvider(way, () => dialog.open && input.value === "");
  let isGiven = false;

  async function give() {
    button.disabled = true;
    wrong.textContent = await refusalOf(input.value.trim());
    button.disabled = false;
    isGiven = wrong.textContent === "";
    if (isGiven) dialog.close();
    else input.select();
  }

  // Without a key there is nothing to go back to.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => {
    if (!isGiven) {
      dialog.showModal();
      return;
    }
    dialog.remove();
    settled = () => {};
    showSession();
    done();
  });
  settled = () => {
    isGiven = true;
    dialog.close();
  };
  document.body.append(dialog);
  dialog.showModal();
}

// The company's identity provider, where there is one: it brings the browser back to this view.
async function offerProvider(way, isWaiting) {
  const answer = await fetch(at("/sign-in/provider")).catch(() => null);
  const { name = null, address } = answer?.ok ? await answer.json() : {};
  if (name === null) return;
  const next = location.pathname + location.search + location.hash;
  const link = make("a", { class: "button", href: `${address}?next=${encodeURIComponent(next)}` }, `Sign in with ${name}`);
  way.replaceChildren(link, make("p", { class: "quiet" }, "or with a key:"));
  way.nextElementSibling.remove();
  if (isWaiting()) link.focus();
}

// With a key that was just made, the first of all: nobody is asked for it then. Another process of the service learns of it
// within a second.
export async function signInWith(key) {
  for (let tries = 0; await refusalOf(key) !== ""; tries += 1) {
    if (tries === TRIES) return;
    await new Promise((rested) => { setTimeout(rested, REST_MS); });
  }
  settled();
  await showSession();
}

// Why the key is not taken; nothing where it is.
async function refusalOf(key) {
  if (!SENDABLE.test(key)) return REFUSED;
  try {
    const answer = await fetch(at("/session"), { method: "POST", headers: { Authorization: `Bearer ${key}` } });
    if (answer.ok) return "";
    return answer.status === 401 ? REFUSED : AWAY;
  } catch {
    return AWAY;
  }
}

// Whose key it is, and the way out; nothing where no key is asked for.
export async function showSession() {
  const answer = await fetch(at("/session")).catch(() => null);
  if (answer?.status === 503) return;
  const { key = null, scope } = answer?.ok ? await answer.json() : {};
  const out = make("button", { type: "button", class: "plain", on: { click: signOut } }, "Sign out");
  byId("session").replaceChildren(...(key === null ? [] : [`Signed in as ${key} (${scope}) `, out]));
}

async function signOut() {
  await fetch(at("/session"), { method: "DELETE" }).catch(() => null);
  location.reload();
}
