// A model that learned from drawn pictures says nothing of photos: it is tried on a picture of its own kind.

import { fileOf } from "../frame/enlarged.js";
import { make, whileBusy } from "../frame/parts.js";
import { ask, askForPicture, tell } from "../frame/service.js";

const LOOKED_AT = 200;

// The button loads a validation picture of the run, as if it were dropped: `take` gets its file.
export function ownPictureParts(run, take) {
  const button = make("button", { type: "button", class: "secondary" }, "Try one of its own drawn pictures");
  button.addEventListener("click", () => whileBusy(button, () => tell("drawn", ownPicture(run).then((file) => take([file])))));
  return [make("p", { class: "quiet" }, "It learned from drawn pictures, and says nothing of photos."), button];
}

async function ownPicture(run) {
  const { items } = await ask(`/runs/${run}/items?limit=${LOOKED_AT}`);
  if (!items.length) throw new Error(`Run ${run} kept no drawn picture of its validation.`);
  const one = items[Math.floor(Math.random() * items.length)];
  const picture = await askForPicture(one.image);
  return new File([picture], fileOf(one.path, `item ${one.item}`), { type: picture.type });
}
