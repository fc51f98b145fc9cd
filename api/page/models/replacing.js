// What it means for the answers that one model takes another's place: both error rates, in words.

import { percent } from "../frame/parts.js";
import { sentence } from "../frame/service.js";

const said = ({ named, error_rate: errors }) => (errors === null ? `${named} was not measured` : `${named} is wrong on ${percent(errors)} of its validation photos`);

// `given` and `now` are {named, error_rate, dataset}, `now` null where nothing stands there. `isWorse` is also true where
// nobody knows, `isClear` where chance does not explain it; `says` is null where there is nothing to compare.
export function comparedRates(given, now, margin = 0) {
  if (now === null) return { isWorse: false, isClear: false, says: null };
  const isWorse = given.error_rate === null || (now.error_rate !== null && given.error_rate > now.error_rate);
  const isClear = given.error_rate === null || (isWorse && given.error_rate - now.error_rate > margin);
  const others = given.dataset === now.dataset ? "" : ` Those are photos of two datasets, ${given.dataset} and ${now.dataset}.`;
  return { isWorse, isClear, says: `${sentence(`${said(given)}; ${said(now)}`)}${others}` };
}
