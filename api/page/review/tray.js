// The running list of decisions.

import { byId, make, words } from "../frame/parts.js";
import { counts, decisions } from "./decisions.js";
import { nameOf, told } from "./stage.js";

const SHOWN = 100;
const SAYS = [["relabelled", "relabelled"], ["dropped", "dropped"], ["kept", "kept"]];

export function countsLine() {
  const found = counts();
  return SAYS.filter(([key]) => found[key]).map(([key, text]) => `${found[key]} ${text}`).join(", ");
}

export function showTray(queue, acts) {
  const all = decisions();
  byId("tray-counts").textContent = countsLine() || "None yet.";
  byId("tray-undo").disabled = byId("tray-save").disabled = all.length === 0;
  byId("tray-list").replaceChildren(...all.slice(-SHOWN).reverse().map((one) => row(one, queue, acts)));
  byId("tray-list").setAttribute("start", String(all.length));
  byId("tray-hint").textContent = all.some(({ sent }) => sent === undefined) ? "Kept in this browser until you save." : "";
}

function row(one, { items }, acts) {
  const place = items.findIndex(({ item }) => item === one.item);
  const name = nameOf(one);
  const what = one.action === "relabel" ? `${one.before === null ? "" : `${words(one.before)} → `}${words(one.label)}` : told(one);
  return make("li", {}, place < 0 ? make("span", { class: "file" }, name) : make("button", { type: "button", class: "plain file", on: { click: () => acts.goTo(place) } }, name),
    make("span", { class: "what" }, what),
    make("button", { type: "button", class: "plain", "aria-label": `Undo ${name}`, on: { click: () => acts.takeBack(one.item) } }, "undo"));
}
