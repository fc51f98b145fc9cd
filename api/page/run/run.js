// The view of one run.

import { queryName, queryNumber } from "../frame/address.js";
import { forget, tell } from "../frame/service.js";
import { preparePhotos, showPhoto } from "./losses.js";
import { chooseRun, hearOfShown, leaveRun, readAnew, refreshInterprets, renewRun } from "./shown.js";

const UNUSABLE = {
  on: "No dataset is named so. Choose one beside “Read on”.",
  losses: "Give a number of top losses.",
  photo: "Give an item’s number.",
};

function showNamedPhoto() {
  const isThere = showPhoto(queryNumber("photo"));
  tell("photo", isThere ? null : Promise.reject(new Error("That picture is not among the top losses that are shown.")));
}

let isReady = false;
let turned = "";

// What of the query the reading depends on.
const readBy = (query) => JSON.stringify([query.get("on"), query.get("losses")]);

function refuseUnusable(query) {
  for (const [key, said] of Object.entries(UNUSABLE)) {
    const value = key === "on" ? queryName(key) : queryNumber(key);
    if (query.has(key) && value === null) throw new Error(said);
  }
}

export const run = {
  title: ({ run: id }) => `Run ${id}`,
  async open({ run: id }, query) {
    if (!isReady) preparePhotos();
    isReady = true;
    turned = readBy(query);
    const drawn = chooseRun(id);
    refuseUnusable(query);
    await drawn;
    showNamedPhoto();
  },
  async turn(query) {
    refuseUnusable(query);
    if (turned !== readBy(query)) await readAnew();
    turned = readBy(query);
    showNamedPhoto();
  },
  async refresh(isMissed) {
    await (isMissed ? renewRun() : refreshInterprets());
  },
  hear: hearOfShown,
  close() {
    leaveRun();
    forget("photo");
  },
};
