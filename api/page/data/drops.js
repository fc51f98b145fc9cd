// Photos dropped on the view. Beside the zone too: a browser would leave the page and show the file.

import { byId } from "../frame/parts.js";
import { dropped } from "./packed.js";

// Call `take` with a promise of the files of one gesture.
export function acceptDrops(take) {
  document.addEventListener("dragover", (event) => drag(event, true));
  document.addEventListener("dragleave", (event) => event.relatedTarget || drag(event, false));
  document.addEventListener("drop", (event) => {
    // While another upload is looked at there is no place for them.
    if (drag(event, false) && !byId("choose").hidden) take(dropped(event.dataTransfer));
  });
}

function drag(event, isOver) {
  if (byId("view-data").hidden || !event.dataTransfer?.types.includes("Files")) return false;
  event.preventDefault();
  byId("drop-data").classList.toggle("over", isOver);
  return true;
}
