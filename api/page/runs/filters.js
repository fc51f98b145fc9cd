// Which runs are listed and in what order: it stands in the address.

import { amend, at, here, placeOf } from "../frame/address.js";
import { byId, make, words } from "../frame/parts.js";

const FILTERS = ["q", "state", "kind", "dataset", "arch", "tag", "error_below"];
const ASKED = [...FILTERS, "sort", "order"];
// What a click in the list adds, by its name there.
const CHOSEN = { dataset: "dataset", arch: "architecture", tag: "tag" };
const STATES = { running: "Running", queued: "Waiting", succeeded: "Succeeded", failed: "Failed", cancelled: "Cancelled" };
const USUAL = { created: "desc", error_rate: "asc", arch: "asc", duration: "asc" };
const REST_MS = 250;

let resting = 0;

// The filters and the order of an address as the service takes them, each a part of its query.
export function askedBy(query) {
  const asked = new URLSearchParams();
  for (const name of ASKED) for (const value of query.getAll(name)) if (value) asked.append(name, value);
  return asked.toString();
}

export const isFiltered = (query) => FILTERS.some((name) => query.get(name));

const orderOf = (query) => {
  const sort = query.get("sort") ?? "created";
  return [sort, query.get("order") ?? USUAL[sort]];
};

// The same column again turns the order round.
function sortBy(sort) {
  const [before, way] = orderOf(placeOf().query);
  const order = sort === before ? { asc: "desc", desc: "asc" }[way] : USUAL[sort];
  amend({ sort: sort === "created" && order === "desc" ? null : sort, order: order === USUAL[sort] ? null : order });
}

function search() {
  clearTimeout(resting);
  resting = 0;
  amend({ q: byId("runs-search").value.trim() || null });
}

// While somebody types nothing is asked for.
function searchSoon() {
  clearTimeout(resting);
  resting = setTimeout(search, REST_MS);
}

// Another view has come: what was being typed is no filter there.
export const stopSearch = () => clearTimeout(resting);

function clearFilters() {
  amend(Object.fromEntries(FILTERS.map((name) => [name, null])));
}

export function prepareFilters() {
  byId("runs-states").replaceChildren(...["", ...Object.keys(STATES)].map((state) => make("button", {
    type: "button", class: "secondary", "data-state": state, on: { click: () => amend({ state: state || null }) },
  }, STATES[state] ?? "All")));
  byId("runs-search").addEventListener("input", searchSoon);
  byId("runs-filters").addEventListener("submit", (event) => { event.preventDefault(); search(); });
  byId("runs-kind").addEventListener("change", ({ target }) => amend({ kind: target.value || null }));
  byId("runs-below").addEventListener("change", ({ target }) => amend({ error_below: target.value || null }));
  byId("runs-sort").addEventListener("change", ({ target }) => {
    const [sort, order] = target.value.split(" ");
    amend({ sort: sort || null, order: order ?? null });
  });
  byId("runs-clear").addEventListener("click", clearFilters);
  for (const head of heads()) head.querySelector("button").addEventListener("click", () => sortBy(head.dataset.sort));
}

const heads = () => document.querySelectorAll("#runs th[data-sort]");

export function showFilters(query) {
  const input = byId("runs-search");
  if (!resting) input.value = query.get("q") ?? "";
  for (const button of byId("runs-states").children) button.setAttribute("aria-pressed", String(button.dataset.state === (query.get("state") ?? "")));
  byId("runs-kind").value = query.get("kind") ?? "";
  byId("runs-below").value = query.get("error_below") ?? "";
  const [sort, way] = orderOf(query);
  byId("runs-sort").value = sort === "created" && way === "desc" ? "" : `${sort} ${way}`;
  for (const head of heads()) {
    if (head.dataset.sort === sort) head.setAttribute("aria-sort", way === "asc" ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
  const chosen = Object.keys(CHOSEN).filter((name) => query.get(name));
  byId("runs-chosen").hidden = chosen.length === 0;
  byId("runs-chosen").replaceChildren(...chosen.map((name) => chip(name, query.get(name))));
  const filters = askedBy(query);
  byId("runs-csv").href = at(`/runs.csv${filters ? `?${filters}` : ""}`);
}

function chip(name, value) {
  const label = `${CHOSEN[name]}: ${name === "arch" ? value : words(value)}`;
  return make("button", { type: "button", class: "chip", "aria-label": `${label}. Remove this filter`, on: { click: () => amend({ [name]: null }) } },
    label, make("span", { "aria-hidden": true }, " ×"));
}

// A part of a row that lists only the runs that share it.
export const narrows = (name, value, options = {}) => make("a", { href: here({ [name]: value }), title: `Only runs with this ${CHOSEN[name]}`, ...options }, value);
