// The pictures that a model was most wrong about; a click shows one larger.

import { go, here } from "../frame/address.js";
import { byId } from "../frame/parts.js";
import { photoCard } from "./photo_card.js";

export const FEWEST = 9;
const MORE = 18;
const MOST = 1000;

let shown = [];

export const topLosses = () => shown;

export function showLosses(losses, asked) {
  shown = losses;
  byId("worst").replaceChildren(...losses.map(photoCard));
  byId("more-losses").hidden = losses.length < asked || asked >= MOST;
  byId("more-losses").onclick = () => go(here({ losses: Math.min(MOST, asked + MORE) }));
}

export function hideLosses() {
  shown = [];
  byId("worst").replaceChildren();
}
