// A photo that a model has answered: in a list, and as facts beside it when it is shown large.

import { at } from "../frame/address.js";
import { fileOf, largerLink } from "../frame/enlarged.js";
import { make, percent, words } from "../frame/parts.js";

const nameOf = ({ path, item }) => fileOf(path, `item ${item}`);
const lossOf = ({ loss }) => (loss === null ? "infinite" : loss.toFixed(2));

// For frame/enlarged.js.
export const largePhoto = (one) => ({
  key: one.item,
  name: nameOf(one),
  image: one.image,
  facts: [
    ["Actual", `${words(one.actual)}, ${percent(one.probability_actual)}`],
    ["Predicted", `${words(one.predicted)}, ${percent(one.probability_predicted)}`],
    ["Loss", lossOf(one)], ["File", one.path ?? "–"], ["Item", String(one.item)],
    ...(one.trained_on ? [["Trained on", "yes, this very photo"]] : []),
  ],
});

// With what it shows and what it was taken for.
export function photoCard(one) {
  const chance = (breed, probability) => make("span", {}, `${words(breed)} `, make("b", {}, percent(probability)));
  return make("li", {}, largerLink(one.item, {},
    make("img", { src: at(one.image), loading: "lazy", alt: "" }), make("span", { class: "file" }, nameOf(one))),
    make("span", { class: "quiet" }, `loss ${lossOf(one)}`),
    make("span", {}, "Actual: ", chance(one.actual, one.probability_actual)),
    make("span", {}, "Predicted: ", chance(one.predicted, one.probability_predicted)),
    one.trained_on ? make("span", { class: "tag" }, "trained on") : "");
}
