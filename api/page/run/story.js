// How a run came about and what is to be said of it, in sentences.

import { byId, make, percent, rate, runLink, words } from "../frame/parts.js";

const item = (...content) => make("li", {}, ...content);

export function showStory(run) {
  byId("story").replaceChildren(...lineage(run), ...children(run), ...run.rates.map(rateItem));
  byId("cautions").replaceChildren(...run.cautions.map((caution) => item(caution)));
  byId("curves").replaceChildren(...run.curves.map(({ phase, word, sentence }) =>
    item(make("strong", {}, phase === null ? "The run: " : `Phase ${phase + 1}: `), make("span", { class: "tag" }, words(word)),
      ` ${sentence}`)));
  byId("judgement").replaceChildren(...(run.judgement?.sentences ?? []).map((sentence) => item(sentence)));
}

function lineage(run) {
  const steps = run.lineage.flatMap((one) => {
    const error = one.error_rate === null ? null : `error rate ${percent(one.error_rate)}`;
    const known = [one.name, one.recipe && words(one.recipe), error, one.deleted && "deleted since"].filter(Boolean).join(", ");
    return [one.deleted ? `run ${one.id}` : runLink(one.id), ` (${known || words(one.kind)}) → `];
  });
  return steps.length ? [item("Started from ", ...steps, "this run")] : [];
}

function children(run) {
  const links = run.children.flatMap((id, place) => [place ? ", " : "", runLink(id)]);
  return links.length ? [item("Runs that started from it: ", ...links)] : [];
}

function rateItem({ phase, rate: found, agreement, lr_max: groups }) {
  const what = found === null ? "found none" : `found ${rate(found)}, trained at ${groups.map(rate).join(", ")}`;
  return item(make("strong", {}, `Phase ${phase + 1}: `), `the search for a learning rate ${what}; agreement of its sweeps: ${agreement}`);
}
