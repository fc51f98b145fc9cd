// The start: which breed is on a photo.

import { byId } from "../frame/parts.js";
import { forget, tell } from "../frame/service.js";
import { hearOfVersions } from "../models/served.js";
import { leaveBegin, showBegin } from "./begin.js";
import { addPhotos, askAgain, clearPhotos, showKept } from "./cards.js";
import { showKeeping } from "./feedback.js";
import { acceptPhotos } from "./photos.js";
import { prepareTerms, readTerms, showVersions } from "./terms.js";

let isReady = false;
let isHere = false;

function prepare() {
  isReady = true;
  showKept();
  acceptPhotos(addPhotos);
  prepareTerms();
  byId("clear").addEventListener("click", () => {
    clearPhotos();
    byId("photo").focus();
  });
  hearOfVersions(() => { if (isHere) tell("versions", Promise.all([showVersions(), showBegin()])); });
}

// The photos of before stay; on other terms they are answered anew.
async function turn() {
  if (readTerms()) askAgain();
  await showVersions();
}

export const home = {
  title: () => "",
  async open() {
    if (!isReady) prepare();
    isHere = true;
    await Promise.all([turn(), showBegin(), showKeeping()]);
  },
  turn,
  refresh: showBegin,
  close() {
    isHere = false;
    leaveBegin();
    forget("versions");
    forget("production");
    forget("drawn");
  },
};
