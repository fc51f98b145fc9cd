// The view of one run.

import { queryName, queryNumber } from "../frame/address.js";
import { enlarge } from "../frame/enlarged.js";
import { forget, tell } from "../frame/service.js";
import { topLosses } from "./losses.js";
import { largePhoto } from "./photo_card.js";
import { furtherShots, isWished, shots, showShots } from "./shots.js";
import { chooseRun, hearOfShown, leaveRun, readAnew, refreshInterprets, refreshResumed, renewRun, shownRun } from "./shown.js";
import { showTab, tabOf } from "./tabs.js";

const UNUSABLE = {
  on: "No dataset is named so. Choose one beside “Read on”.",
  losses: "Give a number of top losses.",
  photo: "Give an item’s number.",
};

let turned = {};

// What of the query the reading depends on.
const readBy = (query) => JSON.stringify([query.get("on"), query.get("losses")]);
const seen = (query) => ({ tab: tabOf(query), read: readBy(query) });

function refuseUnusable(query) {
  for (const [key, said] of Object.entries(UNUSABLE)) {
    const value = key === "on" ? queryName(key) : queryNumber(key);
    if (query.has(key) && value === null) throw new Error(said);
  }
  if (tabOf(query) === null) throw new Error("A run has no part of that name. Choose one below its facts.");
}

// The photos that the address names, and the one of them that is shown large.
async function showNamed() {
  const run = shownRun();
  const { search } = location;
  if (!run || tabOf() !== "mistakes") {
    enlarge([], null);
    return;
  }
  const item = queryNumber("photo");
  await showShots(run, item);
  if (search !== location.search || shownRun()?.id !== run.id) return;
  const more = isWished() ? furtherShots(run) : null;
  const isThere = enlarge((isWished() ? shots() : topLosses()).map(largePhoto), item, more && (() => more().then((all) => all.map(largePhoto))));
  const where = isWished() ? "these photos" : "the top losses that are shown";
  tell("photo", isThere ? null : Promise.reject(new Error(`That photo is not among ${where}.`)));
}

export const run = {
  title: ({ run: id }) => `Run ${id}`,
  async open({ run: id }, query) {
    turned = seen(query);
    const drawn = chooseRun(id);
    // Where both fail, the address is told of.
    drawn.catch(() => null);
    refuseUnusable(query);
    await drawn;
    await showNamed();
  },
  async turn(query) {
    refuseUnusable(query);
    const before = turned;
    turned = seen(query);
    if (shownRun()) showTab(shownRun());
    if (before.tab !== turned.tab) await renewRun();
    else if (before.read !== turned.read) await readAnew();
    await showNamed();
  },
  async refresh(isMissed) {
    await (isMissed ? renewRun() : Promise.all([refreshResumed(), refreshInterprets()]));
  },
  hear: hearOfShown,
  close() {
    leaveRun();
    for (const dialog of document.querySelectorAll("#view-run dialog[open]")) dialog.close();
    forget("photo");
  },
};
