// The key: asked for where the service wants one, and given for a cookie that no script can read.

import { at } from "./address.js";
import { byId, make } from "./parts.js";
import { isAwayStatus } from "./service.js";

const REFUSED = "The service does not know this key, or it was revoked, or has expired.";
const AWAY = "The service does not answer. Try again in a moment.";
// What can stand in a header.
const SENDABLE = /^[\x21-\x7e]{1,200}$/;
const TRIES = 4;
const REST_MS = 500;
const AGAIN_MS = 5000;

let asking = null;
let looking = null;
let isKnown = false;
let isWithKey = false;
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
  offerProvider(way, () => dialog.open, () => dialog.open && input.value === "");
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
    showSessionAnew();
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
async function offerProvider(way, isOpen, isWaiting) {
  let answer = await answerOf("/sign-in/provider");
  while (isAway(answer)) {
    await new Promise((rested) => { setTimeout(rested, AGAIN_MS); });
    if (!isOpen()) return;
    answer = await answerOf("/sign-in/provider");
  }
  const { name = null, address } = answer?.ok ? await answer.json().catch(() => ({})) : {};
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
  await showSessionAnew();
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

const answerOf = (path, options) => fetch(at(path), options).catch(() => null);
const isAway = (answer) => answer === null || isAwayStatus(answer.status);

// Until it is known whose key it is: the service may have been away.
export function showSessionOnce() {
  if (!isKnown) looking ??= showSession().finally(() => { looking = null; });
  return looking;
}

function showSessionAnew() {
  isKnown = false;
  looking = null;
  return showSessionOnce();
}

// Whether somebody is signed in, as far as is known.
export const isSignedIn = () => isWithKey;

// Whose key it is, and the way out; nothing where no key is asked for.
async function showSession() {
  const answer = await answerOf("/session");
  if (isAway(answer)) return;
  const said = answer.ok ? await answer.json().catch(() => null) : {};
  if (said === null) return;
  isKnown = true;
  const { key = null, scope } = said;
  isWithKey = key !== null;
  const out = make("button", { type: "button", class: "plain", on: { click: signOut } }, "Sign out");
  byId("session").replaceChildren(...(key === null ? [] : [`Signed in as ${key} (${scope}) `, out]));
}

// Who is still signed in is not to go away believing the contrary.
async function signOut() {
  const answer = await answerOf("/session", { method: "DELETE" });
  if (!isAway(answer)) return location.reload();
  byId("session").querySelector(".bad")?.remove();
  return byId("session").append(make("span", { class: "bad", role: "alert" }, ` You are still signed in. ${AWAY}`));
}
