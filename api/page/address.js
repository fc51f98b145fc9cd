// What is looked at stands in the address, so that Back, Forward, reload and a shared link lead to it.

const DATASET_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const NUMBER = /^\d{1,9}$/;
const NOTHING = { run: null, dataset: null, on: null, losses: null, photo: null };

// The page's own path: a proxy may have the service below a path of its host.
const HOME = location.pathname.replace(/[^/]*$/, "");

let follow = () => {};

const number = (text) => (NUMBER.test(text ?? "") ? Number(text) : null);
const name = (text) => (DATASET_NAME.test(text ?? "") ? text : null);

// The view that an address names; what it names in vain is in `unusable`.
export function viewOf(search = location.search) {
  const given = new URLSearchParams(search);
  const read = (key, as) => as(given.get(key));
  const view = {
    run: read("run", number), dataset: read("dataset", name), on: read("on", name), losses: read("losses", number), photo: read("photo", number),
  };
  const unusable = Object.keys(NOTHING).filter((key) => given.has(key) && view[key] === null);
  return { ...view, unusable };
}

// The address of this view with changes; another run or dataset is another view altogether.
export function addressOf(changes) {
  const start = "run" in changes || "dataset" in changes ? NOTHING : viewOf();
  const query = new URLSearchParams();
  for (const key of Object.keys(NOTHING)) {
    const value = key in changes ? changes[key] : start[key];
    if (value !== null) query.set(key, value);
  }
  return query.size ? `${HOME}?${query}` : HOME;
}

// Where in the host a path of the service is.
export const at = (path) => HOME + path.slice(1);

export function go(address) {
  if (address === location.pathname + location.search) return;
  history.pushState({ ours: true }, "", address);
  follow(viewOf());
}

// Back where this page has come from there, so that closing leaves no trace in the history.
export function leave(changes) {
  if (history.state?.ours) {
    history.back();
    return;
  }
  history.replaceState(null, "", addressOf(changes));
  follow(viewOf());
}

// Links to views change the view; with a modifier they open a tab or a window as any link.
export function followLinks(act) {
  follow = act;
  addEventListener("popstate", () => follow(viewOf()));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link?.origin !== location.origin || link.pathname !== HOME || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
