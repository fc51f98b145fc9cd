// The page: everything it shows comes from the HTTP API.

import { followLinks, viewOf } from "./address.js";
import { chooseDataset, leaveDataset } from "./dataset.js";
import { showDatasets } from "./datasets.js";
import { showKeeping } from "./feedback.js";
import { redrawFigures } from "./figures.js";
import { preparePhotos, showPhoto } from "./losses.js";
import { byId } from "./parts.js";
import { acceptPhotos } from "./predict.js";
import { chooseRun, hearOfShown, leaveRun, readAnew, refreshInterprets, renewRun } from "./run.js";
import { hearOfRuns, markRun, refreshRuns, showMoreRuns } from "./runs.js";
import { showScrolling } from "./scrolls.js";
import { showServed } from "./served.js";
import { tell } from "./service.js";
import { hear, keepStream } from "./stream.js";
import { scheme } from "./theme.js";

const REFRESH_MS = 5000;
const SOON_MS = 200;
const UNUSABLE = {
  run: "No run is named so. Give a run’s number.",
  dataset: "No dataset is named so. Choose one of the list.",
  on: "No dataset is named so. Choose one beside “Read on”.",
  losses: "Give a number of top losses.",
  photo: "Give an item’s number.",
};

let view = { run: null, dataset: null };
let soon = 0;
let isMissed = false;

function show(next) {
  const before = view;
  view = next;
  document.title = [titleOf(next), "Pedigree"].filter(Boolean).join(" · ");
  tell("address", next.unusable.length ? Promise.reject(new Error(UNUSABLE[next.unusable[0]])) : null);
  if (next.run !== before.run) showRun(next.run);
  else if (next.run !== null) showRest(before);
  if (next.dataset === before.dataset) return;
  if (next.dataset === null) leaveDataset();
  else tell("dataset", chooseDataset(next.dataset));
}

function titleOf({ run, dataset }) {
  if (run !== null) return `Run ${run}`;
  return dataset === null ? "" : `Dataset ${dataset}`;
}

function showRun(id) {
  if (id === null) {
    leaveRun();
    tell("run");
  } else {
    tell("run", chooseRun(id).then(showNamedPhoto));
  }
  markRun();
}

function showRest(before) {
  if (view.on !== before.on || view.losses !== before.losses) tell("run", readAnew()?.then(showNamedPhoto));
  else showNamedPhoto();
}

function showNamedPhoto() {
  const isThere = showPhoto(viewOf().photo);
  tell("photo", isThere ? null : Promise.reject(new Error("That picture is not among the top losses that are shown.")));
}

const lists = { runs: refreshRuns, datasets: showDatasets, served: showServed };

function refreshLists() {
  for (const [about, refresh] of Object.entries(lists)) tell(about, refresh());
}

function refreshAll() {
  if (document.hidden) return;
  refreshLists();
  tell("interprets", refreshInterprets());
}

// Once for all that happens at about the same time.
function refreshSoon() {
  soon ||= setTimeout(() => {
    soon = 0;
    if (!isMissed) return refreshAll();
    isMissed = false;
    if (document.hidden) return;
    refreshLists();
    tell("run", renewRun());
  }, SOON_MS);
}

// What may have changed while nobody looked or listened: the run too.
function catchUp() {
  isMissed = true;
  refreshSoon();
}

hear((told) => {
  if (told.kind === "start") {
    catchUp();
    return;
  }
  hearOfRuns(told);
  hearOfShown(told);
  if (told.kind === "state") refreshSoon();
});

byId("more-runs").addEventListener("click", () => tell("runs", showMoreRuns()));
document.addEventListener("visibilitychange", catchUp);
scheme.addEventListener("change", redrawFigures);
setInterval(refreshAll, REFRESH_MS);
acceptPhotos();
preparePhotos();
showScrolling();
followLinks(show);
show(viewOf());
refreshLists();
tell("keeping", showKeeping());
keepStream();
