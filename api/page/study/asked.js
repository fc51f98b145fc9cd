// What a search was asked.

import { byId, counted, make, words } from "../frame/parts.js";
import { duration } from "../frame/times.js";
import { soughtOf } from "./best.js";
import { shownDomain } from "./settings.js";

const PRUNERS = {
  median: "what is worse than half of those before it is ended early",
  hyperband: "only the best third goes on, again and again",
  none: "each trial trains to its end",
};

export function showAsked({ asked }) {
  const { config, limits } = asked;
  byId("study-asked").replaceChildren(...[
    ...Object.entries(asked.space).map(([name, domain]) => [name, shownDomain(domain)]),
    ["every trial", [config.arch, config.recipe && words(config.recipe), config.epochs ? counted(config.epochs, "epoch") : null].filter(Boolean).join(", ")],
    ["sought", `the lowest ${soughtOf(asked.objective)}`],
    ["at most", `${counted(asked.trials, "trial")} in ${duration(60 * asked.minutes)}${asked.at_once > 1 ? `, ${asked.at_once} at once` : ""}`],
    ["early end", PRUNERS[asked.pruner]],
    ...limits.train_minutes === null ? [] : [["a training", `takes ${duration(60 * limits.train_minutes)} at most`]],
    ...limits.answer_ms === null ? [] : [["an answer", `takes ${limits.answer_ms} ms at most`]],
  ].flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]));
}
