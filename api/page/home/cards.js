// The photos that were given, a card for each: waiting, looked at, answered or refused.

import { byId, counted, make } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { answerParts, headline } from "./answer.js";
import { keepAnswers, keptAnswers, smallOf } from "./kept.js";
import { framed } from "./photos.js";
import { easierTerms, termsQuery } from "./terms.js";

const MOST = 32;
// The service puts those that wait together into one batch; a browser opens six connections to it.
const AT_ONCE = 3;

// A download asks to leave as well, and the page stays.
const STAYED_MS = 3000;

let cards = [];
let waiting = [];
let isLeaving = false;
let busy = 0;

const LOST = "The page was loaded again before this photo had an answer. Choose it again.";

// New photos stand first; of more than fit in a page the earliest go.
export function addPhotos(files) {
  byId("photos-told").textContent = files.length > MOST
    ? `These are ${files.length} photos; the first ${MOST} of them are answered. For a whole folder there is the command pedigree predict.` : "";
  const added = files.slice(0, MOST).map((file) => cardOf({ file, name: file.name || "a photo" }));
  const kept = [...added, ...cards];
  for (const one of kept.slice(MOST)) drop(one);
  cards = kept.slice(0, MOST);
  byId("answer").prepend(...added.map(({ node }) => node));
  enqueue(added);
}

// What this tab has kept of before, once.
export function showKept() {
  cards = keptAnswers().slice(0, MOST).map((one) => cardOf({ ...one, file: null }));
  for (const one of cards) {
    if (one.answer) showAnswer(one);
    else showFailure(one, one.failure ?? LOST, []);
  }
  byId("answer").append(...cards.map(({ node }) => node));
}

// The terms have changed: what is shown is answered on the new ones.
export function askAgain() {
  for (const one of cards) one.asking?.abort();
  enqueue(cards.filter(({ file }) => file));
  for (const { file, said } of cards) if (!file && !said.querySelector(".before")) said.append(make("p", { class: "quiet before" }, "This answer was given before, on other terms. Choose the photo again for a new one."));
}

export function clearPhotos() {
  for (const one of cards) drop(one);
  cards = [];
  tellState();
}

// `small`, `answer`, `failure` and `noted` are what is kept of it.
function cardOf({ file, name, small = null, answer = null, failure = null, noted = null }) {
  const source = file ? URL.createObjectURL(file) : small;
  const { frame, picture } = framed(name, source);
  const said = make("div", { class: "said" });
  const card = { file, name, small, answer, failure, noted, picture, source, said, asking: null, state: "waiting", told: "" };
  const remove = make("button", { type: "button", class: "plain remove", "aria-label": `Remove ${name}` }, "✕");
  card.node = make("li", { class: "card photo" }, frame,
    make("div", { class: "row" }, make("span", { class: "quiet file" }, name), remove), said);
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
  if (card.file) URL.revokeObjectURL(card.source);
  card.node.remove();
}

function enqueue(some) {
  for (const one of some) {
    Object.assign(one, { state: "waiting", answer: null, failure: null, noted: null });
    one.said.replaceChildren(make("p", { class: "quiet" }, make("progress", { "aria-label": `Looking at ${one.name}` }), " Looking…"));
  }
  waiting = [...waiting.filter((one) => !some.includes(one)), ...some];
  tellState();
  while (busy < AT_ONCE && waiting.length) work();
}

addEventListener("beforeunload", () => {
  isLeaving = true;
  setTimeout(() => { isLeaving = false; }, STAYED_MS);
});

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
  const small = card.small ?? smallOf(card.file);
  try {
    const { model, coverage, predictions: [found] } = await ask(`/predict?${query}`, { method: "POST", body: form, signal: asking.signal });
    card.small = await small;
    if (asking.signal.aborted) return;
    Object.assign(card.picture, { src: card.source, alt: `The photo ${card.name}` });
    card.answer = { model, coverage, found, query };
    showAnswer(card);
  } catch (error) {
    card.small = await small;
    // Who leaves or reloads ends the request too: that is no failure of the service.
    if (asking.signal.aborted || (error.isAway && isLeaving)) return;
    const again = make("button", { type: "button", class: "secondary", on: { click: () => enqueue([card]) } }, "Try again");
    showFailure(card, error.message, [again, ...easierTerms(error)]);
  }
}

function showAnswer(card) {
  const note = (text) => { card.noted = text; keep(); };
  const { answer: given, file, name, picture, noted } = card;
  finish(card, "answered", headline(given.found), answerParts({ ...given, file, name, picture, noted, note }));
}

function showFailure(card, message, steps) {
  card.failure = message;
  finish(card, "failed", message, [make("p", { class: "bad" }, message), make("div", { class: "toolbar" }, ...steps)]);
}

function keep() {
  keepAnswers(cards.map(({ name, small, answer: given, failure, noted }) => ({ name, small, answer: given, failure, noted })));
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
  keep();
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
