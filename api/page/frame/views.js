// The views, each brought in when somebody goes to it first, and the rest of them once the first one stands.

const VIEWS = {
  home: () => import("../home/home.js"),
  runs: () => import("../runs/runs.js"),
  run: () => import("../run/run.js"),
  compare: () => import("../compare/compare.js"),
  train: () => import("../train/train.js"),
  data: () => import("../data/data.js"),
  dataset: () => import("../data/dataset.js"),
  review: () => import("../review/review.js"),
  label: () => import("../label/label.js"),
  models: () => import("../models/models.js"),
  model: () => import("../models/model.js"),
  jobs: () => import("../jobs/jobs.js"),
  team: () => import("../team/team.js"),
  searches: () => import("../study/searches.js"),
  study: () => import("../study/study.js"),
};

const brought = {};
let rest = null;

// The view of this name, or null while it is not there.
export const viewNamed = (name) => brought[name] ?? null;

export async function bringView(name) {
  if (brought[name]) return brought[name];
  try {
    const { [name]: view } = await VIEWS[name]();
    brought[name] = view;
    return view;
  } catch (cause) {
    // What a browser says of a file that does not come; anything else is a fault of the view's own.
    if (!(cause instanceof TypeError)) throw cause;
    throw Object.assign(new Error("The service does not answer.", { cause }), { isAway: true });
  }
}

// So that nobody who goes to one of them waits for it, or stands before a service that has gone. One that does not come
// now is asked for again when somebody goes there, who is then told.
export function bringTheRest() {
  rest ??= new Promise((idle) => { (window.requestIdleCallback ?? setTimeout)(idle); })
    .then(() => Promise.allSettled(Object.keys(VIEWS).map(bringView)));
}
