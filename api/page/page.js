// The page: everything it shows comes from the HTTP API.

import { chooseDataset } from "/dataset.js";
import { showDatasets } from "/datasets.js";
import { byId } from "/parts.js";
import { acceptPhotos } from "/predict.js";
import { chooseRun, refreshInterprets } from "/run.js";
import { refreshRuns, showMoreRuns } from "/runs.js";
import { showServed } from "/served.js";
import { tell } from "/service.js";

const REFRESH_MS = 5000;
const DATASET_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

function openRun(id) {
  tell("run", chooseRun(id));
  tell("runs", refreshRuns());
}

function openDataset(name) {
  tell("dataset", chooseDataset(name));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-run], a[data-dataset]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.replaceState(null, "", link.href);
  if (link.dataset.run) openRun(Number(link.dataset.run));
  else openDataset(link.dataset.dataset);
});
byId("more-runs").addEventListener("click", () => tell("runs", showMoreRuns()));
acceptPhotos();

const refreshed = { runs: refreshRuns, datasets: showDatasets, served: showServed, interprets: refreshInterprets };
for (const [about, refresh] of Object.entries(refreshed)) {
  tell(about, refresh());
  setInterval(() => { if (!document.hidden) tell(about, refresh()); }, REFRESH_MS);
}

const address = new URLSearchParams(location.search);
if (/^\d+$/.test(address.get("run") ?? "")) openRun(Number(address.get("run")));
else if (address.has("run")) tell("run", Promise.reject(new Error(`No run is named ${address.get("run")}. Give a run’s number.`)));
if (DATASET_NAME.test(address.get("dataset") ?? "")) openDataset(address.get("dataset"));
else if (address.has("dataset")) {
  tell("dataset", Promise.reject(new Error(`No dataset is named ${address.get("dataset")}. Choose one of the list.`)));
}
