// The photos that were given, a card for each: waiting, looked at, answered or refused.

import { byId, counted, make } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { answerParts, headline } from "./answer.js";
import { framed } from "./photos.js";
import { easierTerms, termsQuery } from "./terms.js";

const MOST = 32;
// The service puts those that wait together into one batch; a browser opens six connections to it.
const AT_ONCE = 3;

let cards = [];
let waiting = [];
let busy = 0;

// New photos stand first; of more than fit in a page the earliest go.
export function addPhotos(files) {
  byId("photos-told").textContent = files.length > MOST
    ? `These are ${files.length} photos; the first ${MOST} of them are answered. For a whole folder there is the command pedigree predict.` : "";
  const added = files.slice(0, MOST).map(cardOf);
  const kept = [...added, ...cards];
  for (const one of kept.slice(MOST)) drop(one);
  cards = kept.slice(0, MOST);
  byId("answer").prepend(...added.map(({ node }) => node));
  enqueue(added);
}

// The terms have changed: what is shown is answered on the new ones.
export function askAgain() {
  for (const one of cards) one.asking?.abort();
  enqueue(cards);
}

export function clearPhotos() {
  for (const one of cards) drop(one);
  cards = [];
  tellState();
}

function cardOf(file) {
  const { frame, picture } = framed(file);
  const said = make("div", { class: "said" });
  const card = { file, picture, source: picture.src, said, asking: null, state: "waiting", told: "" };
  const remove = make("button", { type: "button", class: "plain remove", "aria-label": `Remove ${file.name}` }, "✕");
  card.node = make("li", { class: "card photo" }, frame,
    make("div", { class: "row" }, make("span", { class: "quiet file" }, file.name || "a photo"), remove), said);
  remove.addEventListener("click", () => {
    drop(card);
    cards = cards.filter((one) => one !== card);
    tellState();
  });
  return card;
}

function drop(card) {
  card.asking?.abort();
  waiting = waiting.filter((one) => one !== card);
  URL.revokeObjectURL(card.source);
  card.node.remove();
}

function enqueue(some) {
  for (const one of some) {
    one.state = "waiting";
    one.said.replaceChildren(make("p", { class: "quiet" }, make("progress", { "aria-label": `Looking at ${one.file.name}` }), " Looking…"));
  }
  waiting = [...waiting.filter((one) => !some.includes(one)), ...some];
  tellState();
  while (busy < AT_ONCE && waiting.length) work();
}

async function work() {
  busy += 1;
  while (waiting.length) await answer(waiting.shift());
  busy -= 1;
}

async function answer(card) {
  const asking = new AbortController();
  card.asking = asking;
  const query = termsQuery();
  const form = new FormData();
  form.append("file", card.file, card.file.name || "photo");
  try {
    const { model, coverage, predictions: [found] } = await ask(`/predict?${query}`, { method: "POST", body: form, signal: asking.signal });
    if (asking.signal.aborted) return;
    Object.assign(card.picture, { src: card.source, alt: `The photo ${card.file.name}` });
    finish(card, "answered", headline(found), answerParts({ model, coverage, found, query, file: card.file, picture: card.picture }));
  } catch (error) {
    if (asking.signal.aborted) return;
    finish(card, "failed", error.message, [make("p", { class: "bad" }, error.message),
      make("div", { class: "toolbar" }, make("button", { type: "button", class: "secondary", on: { click: () => enqueue([card]) } }, "Try again"), ...easierTerms(error))]);
  }
}

function finish(card, state, told, parts) {
  card.state = state;
  card.told = told;
  card.node.classList.toggle("bad", state === "failed");
  card.said.replaceChildren(...parts);
  tellState();
}

// Read aloud: how far it is, and of one photo the answer.
function tellState() {
  byId("answered").hidden = cards.length === 0;
  byId("answer").classList.toggle("single", cards.length === 1);
  // Of a single photo its card says it all.
  byId("answered").classList.toggle("unseen", cards.length === 1);
  byId("clear").hidden = cards.length === 1;
  if (!cards.length) return;
  const count = (state) => cards.filter((one) => one.state === state).length;
  const failed = count("failed") ? `, ${count("failed")} not readable or refused` : "";
  byId("answer-status").textContent = cards.length === 1 ? cards[0].told
    : `${count("answered")} of ${counted(cards.length, "photo")} answered${failed}.`;
}
