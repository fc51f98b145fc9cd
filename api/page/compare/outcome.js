// Two runs held against each other photo by photo, and what McNemar's test says of it.

import { here, placeOf } from "../frame/address.js";
import { byId, counted, fill, make, words } from "../frame/parts.js";
import { sentence } from "../frame/service.js";

const HASH = /^[0-9a-f]{64}$/;
const nameOf = ([first, second]) => `${first},${second}`;

// The one that the address names, or the first.
export function chosenPair({ pairs }) {
  const asked = placeOf().query.get("pair");
  return pairs.find(({ runs }) => nameOf(runs) === asked) ?? pairs[0];
}

export function showOutcome({ pairs, caution }, chosen) {
  byId("compare-pairs").hidden = pairs.length < 2;
  fill("pairs", pairs.map((pair) => pairRow(pair, pair === chosen)));
  byId("compare-caution").hidden = !caution;
  byId("compare-caution").textContent = caution ?? "";
  // With more pairs the words stand in the table, and here whose they are.
  const head = pairs.length > 1 ? make("h3", {}, nameIn(chosen)) : make("p", { class: "verdict" }, verdictOf(chosen));
  byId("outcome").replaceChildren(head, ...(chosen.outcomes ? told(chosen) : untold(chosen)));
}

const nameIn = ({ runs: [first, second] }) => `Run ${first} and run ${second}`;
const verdictOf = (pair) => pair.outcomes?.sentence ?? `${nameIn(pair)} cannot be held against each other photo by photo.`;

function pairRow({ runs, outcomes, note }, isChosen) {
  const link = make("a", { href: here({ pair: nameOf(runs), photo: null }), "aria-current": isChosen ? "true" : null }, nameIn({ runs }));
  return make("tr", { "aria-current": isChosen ? "true" : null }, make("td", {}, link),
    make("td", { class: "number" }, outcomes ? outcomes.only_first : "–"), make("td", { class: "number" }, outcomes ? outcomes.only_second : "–"),
    make("td", { class: "words" }, outcomes ? outcomes.sentence : sentence(note)));
}

function told({ runs: [first, second], outcomes, note }) {
  const share = (count) => `${((100 * count) / outcomes.n).toFixed(1)}\u00a0%`;
  const tile = (label, count, kind) => make("div", { class: `tile ${kind}` }, make("b", {}, String(count)), make("span", {}, label), make("span", { class: "quiet" }, share(count)));
  return [
    make("p", { class: "quiet" }, `${counted(outcomes.n, "validation photo")} that both runs answered for. ${note ? sentence(note) : ""}`),
    make("div", { class: "tiles" }, tile("both right", outcomes.both_right, "both"), tile(`only run ${first} right`, outcomes.only_first, "first"),
      tile(`only run ${second} right`, outcomes.only_second, "second"), tile("both wrong", outcomes.both_wrong, "neither")),
  ];
}

// Why there is no test.
function untold({ runs: [first, second], differences, note }) {
  const short = (value) => (HASH.test(value) ? value.slice(0, 12) : value);
  const rows = differences.map((one) => make("li", {}, `${words(one.field)}: ${short(one.first)} for run ${first}, ${short(one.second)} for run ${second}`));
  return [
    make("p", {}, `${sentence(note)}${rows.length ? " What chooses the photos differs:" : ""}`),
    rows.length ? make("ul", {}, ...rows) : "",
  ];
}
