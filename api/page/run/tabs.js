// The parts of a run, one at a time: which one stands in the address.

import { addressOf, placeOf } from "../frame/address.js";
import { byId, make } from "../frame/parts.js";
import { writeNew } from "../frame/written.js";

const TABS = { curves: "Curves", mistakes: "Mistakes", config: "Configuration", files: "Files" };
// What only the mistakes can be asked for.
const OF_MISTAKES = ["on", "losses", "photo", "actual", "predicted", "correct"];

// The part that an address names, by itself or by something that is in it; null where it names none that there is.
export function tabOf(query = placeOf().query) {
  const named = query.get("tab");
  if (named !== null) return named in TABS ? named : null;
  return OF_MISTAKES.some((key) => query.has(key)) ? "mistakes" : "curves";
}

export function showTab(run) {
  const { query } = placeOf();
  const shown = tabOf(query) ?? "curves";
  byId("run-tabs").hidden = false;
  const on = query.get("on");
  writeNew("run-tabs", [run.id, run.kind, shown, on], (place) => showLinks(place, run, shown, on));
  for (const part of document.querySelectorAll("#view-run [data-tab]")) part.hidden = part.dataset.tab !== shown;
}

function showLinks(place, run, shown, on) {
  const links = Object.entries(TABS).filter(([tab]) => tab !== "mistakes" || run.kind === "train").map(([tab, name]) => make("a", {
    href: addressOf(`runs/${run.id}`, { tab: tab === "curves" ? null : tab, on: tab === "mistakes" ? on : null }),
    "aria-current": tab === shown ? "page" : null, "data-tab-link": tab,
  }, name));
  const focused = document.activeElement?.dataset.tabLink;
  place.replaceChildren(...links);
  if (focused) place.querySelector(`[data-tab-link="${focused}"]`)?.focus();
}

export function hideTabs() {
  byId("run-tabs").hidden = true;
  for (const part of document.querySelectorAll("#view-run [data-tab]")) part.hidden = true;
}
