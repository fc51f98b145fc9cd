// Aliases as cards: which version stands where, what is tried beside it, and the way back.

import { counted, make, percent } from "../frame/parts.js";
import { ask, forget, tell } from "../frame/service.js";
import { localTime, shortTime } from "../frame/times.js";
import { endCanary, promote, remove, rollBack, whole } from "./changes.js";
import { placeOfAlias, whatItDoes } from "./names.js";
import { versionLink } from "./served.js";

const MOVES = 20;
const HOW = { pointed: "pointed at", promoted: "canary promoted:", rolled_back: "rolled back to", removed: "removed" };

export async function readAliases() {
  const found = [];
  let cursor = "";
  do {
    const page = await ask(`/models/aliases?limit=200${cursor}`);
    found.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor);
  return found.sort((one, other) => placeOfAlias(one.alias) - placeOfAlias(other.alias));
}

// What went wrong with a change is of no interest in another view.
export function leaveModels() {
  forget("change");
  forget("moves");
}

// `comparison` is what a shadow answered beside production; `after` reads the view anew once something has changed.
export function aliasCard(one, comparison, after) {
  const card = make("li", { class: "card alias", "data-alias": one.alias },
    make("h3", {}, one.alias), make("p", { class: "stands" }, versionLink(one.version, `Version ${one.version}`)),
    make("p", { class: "quiet" }, whatItDoes(one.alias)));
  if (one.canary) card.append(...canaryParts(one, after));
  if (comparison) card.append(make("p", {}, comparisonSentence(comparison)));
  const buttons = make("div", { class: "toolbar" });
  if (one.before !== null) buttons.append(button(`Roll back to version ${one.before}`, "secondary", () => rollBack(one, after)));
  buttons.append(button("Remove", "plain", () => remove(one, after), `Remove the alias ${one.alias}`));
  card.append(buttons, history(one.alias));
  return card;
}

const button = (text, kind, act, label = null) =>
  make("button", { type: "button", class: kind, "aria-label": label, on: { click: act } }, text);

function canaryParts(one, after) {
  const { version, share } = one.canary;
  return [
    make("p", { class: "canary" }, "Canary: ", versionLink(version), ` answers ${whole(share)} of the requests.`),
    make("div", { class: "toolbar" }, button(`Promote version ${version}`, null, () => promote(one, after)),
      button("End the canary", "secondary", () => endCanary(one, after))),
  ];
}

export function comparisonSentence({ version, compared, agreement, mean_difference: mean, max_difference: most, failed, dropped }) {
  if (!agreement) return `Nothing was compared with version ${version} yet.`;
  const lost = `${failed ? ` It could not answer ${counted(failed, "photo")}.` : ""}${dropped ? ` ${counted(dropped, "photo")} left out, because the service was busy.` : ""}`;
  return `The same first breed as version ${version} on ${percent(agreement.share)} of ${counted(compared, "photo")} `
    + `(between ${percent(agreement.low)} and ${percent(agreement.high)}). Probabilities differ by ${mean.toFixed(3)} in the mean, ${most.toFixed(3)} at most.${lost}`;
}

// Read when it is opened.
function history(alias) {
  const list = make("ol", { class: "moves" });
  const details = make("details", {}, make("summary", {}, "History"), list);
  details.addEventListener("toggle", () => { if (details.open) showHistory(details, alias, list); });
  return details;
}

// What could not be read is folded again: the next click asks for it.
async function showHistory(details, alias, list) {
  const failure = await tell("moves", showMoves(alias, list));
  if (failure) details.open = false;
}

async function showMoves(alias, list) {
  const { items, next_cursor: more } = await ask(`/models/aliases/${encodeURIComponent(alias)}/moves?limit=${MOVES}`);
  list.replaceChildren(...items.map(({ how, version, at }) => make("li", {},
    make("time", { datetime: at, title: localTime(at), class: "quiet" }, shortTime(at)), ` ${HOW[how]} `,
    version === null ? "" : versionLink(version))));
  if (more) list.append(make("li", { class: "quiet" }, `The last ${MOVES} moves.`));
}
