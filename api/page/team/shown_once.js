// Secrets that are shown this once: they are in no address, are stored nowhere, and go with the view.

import { copyButton } from "../frame/clipboard.js";
import { byId, make } from "../frame/parts.js";

const shown = new Set();
let visits = 0;

// Which visit of the view this is: who has left it is shown no secret that comes afterwards.
export const visitNow = () => visits;

export function forgetSecrets() {
  visits += 1;
  for (const id of shown) forget(id);
}

function forget(id) {
  byId(id).replaceChildren();
  byId(id).hidden = true;
  shown.delete(id);
}

// `what` is a sentence that names it; `after` a line on what it is good for.
export function showOnce(id, what, secret, after) {
  const code = make("code", { tabindex: 0 }, secret);
  const place = byId(id);
  place.replaceChildren(
    make("p", {}, make("strong", {}, what), " It is shown this once: copy it now."),
    make("pre", {}, code),
    make("p", { class: "quiet" }, after),
    make("div", { class: "toolbar" }, copyButton(code, {}),
      make("button", { type: "button", class: "secondary", on: { click: () => { forget(id); place.closest("section").querySelector("form input").focus(); } } }, "I have it: take it away")));
  place.hidden = false;
  shown.add(id);
  place.focus();
}
