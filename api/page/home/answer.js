// What is said of one photo.

import { drawnTag, make, percent, runLink, words } from "../frame/parts.js";
import { versionLink } from "../models/served.js";
import { asCommand } from "./command.js";
import { feedbackOn } from "./feedback.js";
import { whyButton } from "./why.js";

// The parts of a photo's card: the answer of POST /predict for it, and what can be done with that.
// Without its file, which a reload takes away, nothing more can be asked about it; `noted` is what was said of it.
export function answerParts({ model, coverage, found, file, name, query, picture, noted, note }) {
  const why = file ? whyButton(file, model.version, found.breed, picture) : { button: "", said: "" };
  return [
    make("h3", {}, headline(found)),
    found.known === false ? make("p", {}, "If it were one of them, it would be:") : "",
    ...found.top.map(guessBar),
    ...setOf(found, coverage),
    make("div", { class: "toolbar" }, why.button, asCommand(name, query)), why.said,
    feedbackOn(found, noted, note),
    make("p", { class: "quiet by" }, "By ", versionLink(model.version), ` (${model.arch}) of `, runLink(model.run), ". ", drawnTag(model.drawn), ...cautions(model, found)),
  ];
}

function cautions(model, found) {
  return [
    model.calibrated ? "" : " Its probabilities are not calibrated.",
    found.known === null ? " It cannot say whether a photo shows any of its breeds." : "",
    model.note ? ` ${model.note}` : "",
    model.drawn ? " It learned from drawn pictures: its answers on photos mean nothing." : "",
  ];
}

// A breed is named as the answer only where the service is sure of it; all else is the service's own sentence.
export function headline({ sentence, species, sure }) {
  if (sure) return `${sentence}${species ? `, a ${species}` : ""}`;
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`;
}

function guessBar({ breed, probability }) {
  return make("div", { class: "bar" }, make("span", {}, words(breed)),
    make("meter", { min: 0, max: 1, value: probability, "aria-label": `${words(breed)}: ${percent(probability)}` }),
    make("span", { class: "number" }, percent(probability)));
}

const MOST_NAMED = 8;

// The breeds one of which it is, in the share of photos that was asked for.
function setOf({ set, probabilities }, coverage) {
  if (!coverage || !set) return [];
  const share = `${Number((100 * coverage.asked).toFixed(1))}\u00a0%`;
  const note = coverage.note ? [make("p", { class: "quiet" }, `${coverage.note.charAt(0).toUpperCase()}${coverage.note.slice(1)}.`)] : [];
  const all = Object.keys(probabilities).length;
  if (!set.length) return [make("p", { class: "set" }, `No breed is likely enough for a set that is right in ${share} of cases.`), ...note];
  const names = set.slice(0, MOST_NAMED).map((breed) => make("li", { class: "tag" }, words(breed)));
  if (set.length > MOST_NAMED) names.push(make("li", { class: "quiet" }, set.length === all ? `and the rest: all ${all} breeds` : `and ${set.length - MOST_NAMED} more`));
  return [make("p", { class: "set" }, set.length === 1 ? `In ${share} of cases it is:` : `In ${share} of cases it is one of:`), make("ul", { class: "tags" }, ...names), ...note];
}
