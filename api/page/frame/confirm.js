// A question before something changes: what changes is said, and a button does it.

import { make } from "./parts.js";

// Resolves to whether the person wants it. Leaving the dialog by any way but its button is a no. Without `act` there is
// nothing to be done: it only says why.
export function confirmed({ title, says, act = null, keep = "Keep it", isDangerous = false }) {
  const heading = make("h2", { id: "confirm-title" }, title);
  const dialog = make("dialog", { class: "confirm", "aria-labelledby": "confirm-title" }, heading,
    ...says.map((line) => make("p", {}, line)));
  const end = (said) => () => dialog.close(said);
  dialog.append(make("div", { class: "toolbar end" },
    make("button", { type: "button", class: "secondary", on: { click: end("no") } }, act === null ? "Close" : keep),
    ...(act === null ? [] : [make("button", { type: "button", class: isDangerous ? "danger" : null, on: { click: end("yes") } }, act)])));
  document.getElementById("main").append(dialog);
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
