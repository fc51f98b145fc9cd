// The views, each brought in when somebody goes to it first, and the rest of them once the first one stands.

const VIEWS = {
  home: "../home/home.js",
  runs: "../runs/runs.js",
  run: "../run/run.js",
  compare: "../compare/compare.js",
  train: "../train/train.js",
  data: "../data/data.js",
  dataset: "../data/dataset.js",
  review: "../review/review.js",
  label: "../label/label.js",
  models: "../models/models.js",
  model: "../models/model.js",
  jobs: "../jobs/jobs.js",
  team: "../team/team.js",
  searches: "../study/searches.js",
  study: "../study/study.js",
};

const brought = {};
// How often each did not come: browsers keep that, and ask for the same address never again.
const missed = {};
const KEPT = "A part of this view did not come while the service was away, and this browser asks for it again only when the page is loaded again.";
let rest = null;

// The view of this name, or null while it is not there.
export const viewNamed = (name) => brought[name] ?? null;

export async function bringView(name) {
  if (brought[name]) return brought[name];
  try {
    const { [name]: view } = await import(missed[name] ? `${VIEWS[name]}?again=${missed[name]}` : VIEWS[name]);
    brought[name] = view;
    return view;
  } catch (cause) {
    // What a browser says of a file that does not come; anything else is a fault of the view's own.
    if (!(cause instanceof TypeError)) throw cause;
    missed[name] = (missed[name] ?? 0) + 1;
    // Of what the view is made of the address cannot be another: it would be there twice.
    if (missed[name] > 1 && await comes(VIEWS[name])) throw Object.assign(new Error(KEPT, { cause }), { needsReload: true });
    throw Object.assign(new Error("The service does not answer.", { cause }), { isAway: true, isRead: true });
  }
}

const comes = (script) => fetch(new URL(script, import.meta.url)).then(({ ok }) => ok, () => false);

// So that nobody who goes to one of them waits for it, or stands before a service that has gone. One that does not come
// now is asked for again when somebody goes there, who is then told.
export function bringTheRest() {
  rest ??= new Promise((idle) => { (window.requestIdleCallback ?? setTimeout)(idle); })
    .then(() => Promise.allSettled(Object.keys(VIEWS).map(bringView)));
}
