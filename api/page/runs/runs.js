// The list of runs: which, in what order, which of them are picked, and how far each has come.

import { addressOf, placeOf } from "../frame/address.js";
import { byId, fill, FINAL } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { askedBy, isFiltered, prepareFilters, showFilters, stopSearch } from "./filters.js";
import { preparePicks, showPicks } from "./picks.js";
import { hearProgress, progressTold, readProgress, runRow } from "./rows.js";

const PAGE = 50;
const MOST_AT_ONCE = 200;

let isReady = false;
let wanted = PAGE;
let question = 0;
let listed = [];
// The filters of what is asked for, and whether it is listed.
let asked = "";
let isListed = false;
let drawn = "";

async function refreshRuns() {
  const number = ++question;
  const { found, isAll } = await readRuns(asked);
  const unfinished = found.filter((run) => !FINAL.has(run.state));
  if (unfinished.length) await readProgress();
  if (number !== question) return;
  [listed, isListed] = [found, true];
  want("runs", unfinished.length > 0);
  byId("runs-loading").hidden = true;
  byId("more-runs").hidden = isAll;
  byId("runs").hidden = found.length === 0;
  const isNarrow = isFiltered(placeOf().query);
  byId("no-runs").hidden = found.length > 0 || isNarrow;
  byId("no-match").hidden = found.length > 0 || !isNarrow;
  drawRows();
}

// What is as it was is left alone: a row that is built again loses what somebody has selected in it.
function drawRows() {
  // The links of a row keep the rest of the address.
  const told = JSON.stringify([listed, progressTold(), location.search]);
  if (told !== drawn) {
    drawn = told;
    const focused = document.activeElement?.closest("#runs tbody") && document.activeElement.dataset.key;
    fill("runs", listed.map(runRow));
    if (focused) document.querySelector(`#runs [data-key="${CSS.escape(focused)}"]`)?.focus();
  }
  showPicks();
}

function showMoreRuns() {
  wanted += PAGE;
  return refreshRuns();
}

async function readRuns(filters) {
  const found = [];
  let cursor = "";
  do {
    const page = await ask(`/runs?limit=${Math.min(MOST_AT_ONCE, wanted - found.length)}${filters && `&${filters}`}${cursor}`);
    found.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor && found.length < wanted);
  return { found, isAll: !cursor };
}

function hearOfRuns({ kind, job, data }) {
  const run = listed.find((one) => one.job === job);
  if (!run || kind !== "progress" || run.state === "queued") return;
  hearProgress(run, data);
}

function prepare() {
  isReady = true;
  prepareFilters();
  preparePicks();
  byId("runs-train").href = addressOf("train");
  byId("more-runs").addEventListener("click", () => tell("view", showMoreRuns()));
}

export const runs = {
  title: () => "Runs",
  async open(_, query) {
    if (!isReady) prepare();
    isListed = false;
    await this.turn(query);
  },
  async turn(query) {
    showFilters(query);
    const isSame = asked === askedBy(query);
    if (isSame && isListed) {
      drawRows();
      return;
    }
    asked = askedBy(query);
    isListed = false;
    if (!isSame) wanted = PAGE;
    await refreshRuns();
  },
  refresh: refreshRuns,
  hear: hearOfRuns,
  close() {
    asked = "";
    isListed = false;
    wanted = PAGE;
    question++;
    stopSearch();
    want("runs", false);
  },
};
