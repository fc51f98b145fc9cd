// What is looked at stands in the address, so that Back, Forward, reload and a shared link lead to it.

const DATASET_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const NUMBER = /^\d{1,9}$/;

// The page's own path, and the service's: a proxy may have them below a path of its host.
const PAGE = import.meta.url.slice(0, import.meta.url.lastIndexOf("/assets/") + 1);
const UI = new URL(PAGE).pathname;
const SERVICE = new URL("../", PAGE).pathname;

const number = (text) => (NUMBER.test(text ?? "") ? Number(text) : null);
const name = (text) => (DATASET_NAME.test(text ?? "") ? text : null);
const READ = { run: number, version: number, search: number, dataset: name };

// The views by their paths below the page; what a colon begins is a part that changes.
const PLACES = {
  "": "home",
  runs: "runs",
  "runs/:run": "run",
  compare: "compare",
  train: "train",
  data: "data",
  "data/:dataset": "dataset",
  "data/:dataset/review": "review",
  models: "models",
  "models/:version": "model",
  label: "label",
  jobs: "jobs",
  team: "team",
  searches: "searches",
  "searches/:search": "study",
};

let follow = () => {};

// The view that an address names, its parts and its query; `lost` names a part that cannot be, or is "path".
export function placeOf({ pathname, search } = location) {
  const query = new URLSearchParams(search);
  const given = pathname.slice(UI.length).replace(/\/$/, "").split("/").map(decoded);
  for (const [pattern, view] of Object.entries(PLACES)) {
    const parts = matched(pattern.split("/"), given);
    if (parts) return { view, query, parts, lost: Object.keys(parts).find((part) => parts[part] === null) ?? null };
  }
  return { view: null, query, parts: {}, lost: "path" };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function matched(pattern, given) {
  if (pattern.length !== given.length) return null;
  const parts = {};
  for (const [place, segment] of pattern.entries()) {
    const key = segment.slice(1);
    if (segment.startsWith(":")) parts[key] = READ[key](given[place]);
    else if (segment !== given[place]) return null;
  }
  return parts;
}

// Numbers and names of the query; null where there is none, or it is none.
export const queryNumber = (key) => number(placeOf().query.get(key));
export const queryName = (key) => name(placeOf().query.get(key));

const withQuery = (path, values) => {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return query.size ? `${path}?${query}` : path;
};

// The address of a view: `addressOf("runs/3", { on: "pets" })`.
export const addressOf = (path, query = {}) => withQuery(UI + path, query);

// The address of this view with changes to its query; null takes one away.
export const here = (changes) => withQuery(location.pathname, { ...Object.fromEntries(placeOf().query), ...changes });

// Where in the host a path of the service is.
export const at = (path) => SERVICE + path.slice(1);

export function go(address) {
  if (address === location.pathname + location.search) return;
  history.pushState({ ours: true, before: location.search }, "", address);
  follow(true);
}

// The address changes and Back does not lead to the one before: a filter, a sort.
export function amend(changes) {
  history.replaceState(history.state, "", here(changes));
  follow();
}

// Another view in the place of this one, which is not there any more: Back leads to the one before.
export function replace(address) {
  history.replaceState(history.state, "", address);
  follow();
}

// Back where this page has come from there, so that closing leaves no trace in the history; on, where the entry before is
// of the same that is closed.
export function leave(changes) {
  const { ours = false, before = "" } = history.state ?? {};
  const earlier = new URLSearchParams(before);
  if (ours && Object.keys(changes).some((key) => earlier.has(key))) {
    go(here(changes));
  } else if (ours) {
    history.back();
  } else {
    history.replaceState(null, "", here(changes));
    follow();
  }
}

// Links to views change the view; with a modifier they open a tab or a window as any link.
export function followLinks(act) {
  follow = act;
  addEventListener("popstate", () => follow());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin || !link.pathname.startsWith(UI)) return;
    // To a place within what is shown.
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
