// How a run came about and what is to be said of it, in sentences.

import { make, percent, rate, runLink, words } from "../frame/parts.js";
import { writeNew } from "../frame/written.js";

const item = (...content) => make("li", {}, ...content);

export function showStory(run) {
  const { lineage: line, children: from, rates, cautions, curves, judgement, added } = run;
  writeNew("story", [line, from, rates, added], (place) => place.replaceChildren(...lineage(run), ...children(run), ...breedsAdded(run), ...rates.map(rateItem)));
  writeNew("cautions", cautions, (place) => place.replaceChildren(...cautions.map((caution) => item(caution))));
  writeNew("curves", curves, (place) => place.replaceChildren(...curves.map(curveItem)));
  const sentences = judgement?.sentences ?? [];
  writeNew("judgement", sentences, (place) => place.replaceChildren(...sentences.map((sentence) => item(sentence))));
}

function curveItem({ phase, word, sentence }) {
  return item(make("strong", {}, phase === null ? "The run: " : `Phase ${phase + 1}: `), make("span", { class: "tag" }, words(word)), ` ${sentence}`);
}

function lineage(run) {
  const steps = run.lineage.flatMap((one) => {
    const error = one.error_rate === null ? null : `error rate ${percent(one.error_rate)}`;
    const known = [one.name, one.recipe && words(one.recipe), error, one.deleted && "deleted since"].filter(Boolean).join(", ");
    return [one.deleted ? `run ${one.id}` : runLink(one.id), ` (${known || words(one.kind)}) → `];
  });
  return steps.length ? [item("Started from ", ...steps, "this run")] : [];
}

function breedsAdded({ added }) {
  if (!added) return [];
  const wrong = added.breeds.filter((one) => one.wrong).map((one) => `${one.breed} ${one.wrong} of ${one.photos}`).join(", ");
  return [item(make("strong", {}, `Version ${added.version}: `), added.sentence, wrong && `; wrong by breed: ${wrong}`)];
}

function children(run) {
  const links = run.children.flatMap((id, place) => [place ? ", " : "", runLink(id)]);
  return links.length ? [item("Runs that started from it: ", ...links)] : [];
}

function rateItem({ phase, rate: found, agreement, lr_max: groups }) {
  const what = found === null ? "found none" : `found ${rate(found)}, trained at ${groups.map(rate).join(", ")}`;
  return item(make("strong", {}, `Phase ${phase + 1}: `), `the search for a learning rate ${what}; agreement of its sweeps: ${agreement}`);
}
