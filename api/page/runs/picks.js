// The runs that are picked to be compared: they stand in the address.

import { addressOf, amend, go, placeOf } from "../frame/address.js";
import { byId, counted, make } from "../frame/parts.js";

const MOST = 6;
const FEWEST = 2;

export function picked(query = placeOf().query) {
  const ids = (query.get("pick") ?? "").split(",").filter((id) => /^[1-9]\d{0,8}$/.test(id)).map(Number);
  return [...new Set(ids)].slice(0, MOST);
}

function pick(id, isPicked) {
  const ids = picked().filter((one) => one !== id);
  if (isPicked) ids.push(id);
  amend({ pick: ids.join(",") || null });
}

export function pickBox(id) {
  const box = make("input", {
    type: "checkbox", "aria-label": `Pick run ${id} to compare`, "data-key": `pick-${id}`, "data-pick": id,
    on: { change: () => pick(id, box.checked) },
  });
  return box;
}

const comparedAt = (ids) => `${addressOf("compare")}?runs=${ids.join(",")}`;

export function preparePicks() {
  byId("runs-compare").addEventListener("click", () => go(comparedAt(picked())));
  byId("runs-unpick").addEventListener("click", () => amend({ pick: null }));
}

export function showPicks() {
  const ids = picked();
  for (const box of document.querySelectorAll("#runs [data-pick]")) {
    box.checked = ids.includes(Number(box.dataset.pick));
    box.disabled = !box.checked && ids.length >= MOST;
  }
  byId("runs-picked").hidden = ids.length === 0;
  const more = ids.length < FEWEST ? "; pick another to compare it with" : ids.length === MOST ? "; no more fit beside each other" : "";
  byId("runs-picked-said").textContent = ids.length ? `${counted(ids.length, "run")} picked: ${ids.join(", ")}${more}` : "";
  byId("runs-compare").disabled = ids.length < FEWEST;
  byId("runs-compare").textContent = `Compare (${ids.length})`;
}
