// The pictures that a model was most wrong about; a click shows one larger.

import { at, go, here, leave } from "../frame/address.js";
import { byId, make, percent, words } from "../frame/parts.js";

export const FEWEST = 9;
const MORE = 18;
const MOST = 1000;

let shown = [];

export function showLosses(losses, asked) {
  shown = losses;
  byId("worst").replaceChildren(...losses.map(card));
  byId("more-losses").hidden = losses.length < asked || asked >= MOST;
  byId("more-losses").onclick = () => go(here({ losses: Math.min(MOST, asked + MORE) }));
}

const nameOf = ({ path, item }) => path?.split("/").at(-1) ?? `item ${item}`;
const lossOf = ({ loss }) => (loss === null ? "infinite" : loss.toFixed(2));

function card(one) {
  const chance = (breed, probability) => make("span", {}, `${words(breed)} `, make("b", {}, percent(probability)));
  const name = nameOf(one);
  return make("li", {}, make("a", { href: here({ photo: one.item }), title: "Show it larger" },
    make("img", { src: at(one.image), loading: "lazy", alt: "" }), make("span", { class: "file" }, name)),
    make("span", { class: "quiet" }, `loss ${lossOf(one)}`),
    make("span", {}, "Actual: ", chance(one.actual, one.probability_actual)),
    make("span", {}, "Predicted: ", chance(one.predicted, one.probability_predicted)),
    one.trained_on ? make("span", { class: "tag" }, "trained on") : "");
}

// Show the picture that the address names, or none. False where it is not among those that are shown.
export function showPhoto(item) {
  const dialog = byId("photo-view");
  const one = shown.find((loss) => loss.item === item);
  if (!one) {
    dialog.close();
    return item === null;
  }
  byId("photo-title").textContent = nameOf(one);
  byId("photo-large").src = at(one.image);
  byId("photo-large").alt = `The photo ${nameOf(one)}`;
  const fact = (name, ...value) => [make("dt", {}, name), make("dd", {}, ...value)];
  byId("photo-facts").replaceChildren(
    ...fact("Actual", `${words(one.actual)}, ${percent(one.probability_actual)}`),
    ...fact("Predicted", `${words(one.predicted)}, ${percent(one.probability_predicted)}`),
    ...fact("Loss", lossOf(one)), ...fact("File", one.path ?? "–"), ...fact("Item", String(one.item)),
    ...(one.trained_on ? fact("Trained on", "yes, this very picture") : []));
  byId("photo-file").href = at(one.image);
  if (!dialog.open) dialog.showModal();
  return true;
}

export function closePhotos() {
  shown = [];
  byId("photo-view").close();
}

// Escape, the button and a click beside the picture close it, as Back does.
export function preparePhotos() {
  const dialog = byId("photo-view");
  const close = () => leave({ photo: null });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  byId("photo-close").addEventListener("click", close);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
}
