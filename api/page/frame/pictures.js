// Pictures that did not come while the service was away: a browser asks for each but once.

import { at } from "./address.js";

// One that is gone for good is asked for so often.
const MOST_TRIES = 3;

const lost = new Set();
// By address: one element may show many.
const tries = new Map();

export function keepPictures() {
  // What an element of the page meets does not rise to the document, but can be caught on its way down.
  document.addEventListener("error", ({ target }) => {
    if (target instanceof HTMLImageElement && target.src && new URL(target.src).pathname.startsWith(at("/"))) lost.add(target);
  }, true);
  document.addEventListener("load", ({ target }) => { if (target instanceof HTMLImageElement) tries.delete(target.src); }, true);
}

export function askForPictures() {
  for (const picture of lost) {
    const count = (tries.get(picture.src) ?? 0) + 1;
    tries.set(picture.src, count);
    if (picture.isConnected && count <= MOST_TRIES) picture.setAttribute("src", picture.getAttribute("src"));
  }
  lost.clear();
}
