// Asking the service, and the line that says when something went wrong.

import { at } from "./address.js";
import { byId } from "./parts.js";
import { keyGiven } from "./session.js";

// What a proxy, or the service itself, says while it is not there or a part of it is not; and, of these, what lasts: it is
// about one request, and asking again changes nothing.
const AWAY = new Set([502, 503, 504]);
const LASTING = new Set(["no_model", "out_of_memory", "provider_unfit", "too_late"]);
const LONGEST_REST_S = 60;
const READ_MS = 10000;

const troubles = new Map();
const hearers = [];
// Of the view that is shown; what an earlier one has begun is of no interest, but for what is kept.
let visit = 0;
let keptBeyond = [];

export const isAwayStatus = (status) => AWAY.has(status);

// `isRead`: nothing was to be changed, and it can be asked again by itself.
const isReadBy = (options) => (options?.method ?? "GET") === "GET";
const away = (options) => Object.assign(new Error("The service does not answer."), { isAway: true, isRead: isReadBy(options) });

// Call `act` with what a piece of work was about, and the error, where it failed because the service was not there.
export function hearAway(act) {
  hearers.push(act);
}

// The API's sentences begin with a small letter, as they follow a name there; a field's name keeps its own.
export function sentence(text) {
  const capital = text.replace(/^[a-z](?=[a-z]*[\s,:.]|$)/, (letter) => letter.toUpperCase());
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

export const reasonOf = ({ field, value, detail, hint }) => [said(field, value, detail), hint].filter(Boolean).map(sentence).join(" ");

// What is wrong is said of the field, where there is one: by its own name, without the parts of the request it is in.
function said(field, value, detail) {
  if (!field) return detail;
  const name = field.split(".").at(-1);
  return `${value === undefined ? name : `${name} is ${value}`}: ${detail}`;
}

async function answerOf(path, options, isAgain = false) {
  let answer;
  try {
    answer = await fetch(at(path), options);
  } catch {
    throw away(options);
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && !isAgain) {
    await keyGiven();
    return answerOf(path, options, true);
  }
  throw await refusal(answer, path, options);
}

async function refusal(answer, path, options) {
  const isAway = AWAY.has(answer.status);
  const about = { isRead: isReadBy(options), restMs: restOf(answer) };
  const isProblem = answer.headers.get("Content-Type")?.includes("json");
  if (!isProblem && isAway) return Object.assign(away(options), about);
  const problem = isProblem ? await whole(answer.json(), options) : { detail: `The service answers ${answer.status} to ${path}` };
  return Object.assign(new Error(reasonOf(problem)), { ...about, code: problem.code, problem, isAway: isAway && !LASTING.has(problem.code) });
}

// How long the service asks to be left alone.
function restOf(answer) {
  const seconds = Number(answer.headers.get("Retry-After"));
  return 1000 * Math.min(LONGEST_REST_S, Math.max(0, seconds || 0));
}

// The connection may break after the answer's head.
async function whole(reading, options) {
  try {
    return await reading;
  } catch {
    throw away(options);
  }
}

export async function ask(path, options) {
  const answer = await answerOf(path, options);
  return answer.status === 204 ? null : whole(answer.json(), options);
}

// A picture, or an error with the reason for which there is none.
export async function askForPicture(path, options) {
  return whole((await answerOf(path, options)).blob(), options);
}

// How far something is that is made when it is asked for; null once it is there. Its bytes are for the browser to save.
export async function askWhetherMade(path) {
  const answer = await answerOf(path, { headers: { Prefer: "respond-async" } });
  if (answer.status === 202) return whole(answer.json());
  await answer.body.cancel();
  return null;
}

// Show what goes wrong with a piece of work until the same piece goes well. Comes to the error, or to null. What comes of
// work that nobody waits for any more is not told.
export async function tell(about, work, isWanted = () => true) {
  const begun = visit;
  let failure = null;
  try {
    await work;
  } catch (error) {
    failure = error;
  }
  if (!isWanted() || (begun !== visit && !keptBeyond.includes(about))) return failure;
  if (failure === null) troubles.delete(about);
  else troubles.set(about, Object.assign(failure, { since: performance.now() }));
  showTroubles();
  if (failure?.isAway) for (const act of hearers) act(about, failure);
  return failure;
}

function showTroubles() {
  const place = document.getElementById("trouble");
  const text = [...new Set([...troubles.values()].map(({ message }) => message))].join(" ");
  // An alert is read aloud whenever it is written.
  if (place.textContent !== text) place.textContent = text;
  byId("reload").hidden = ![...troubles.values()].some(({ needsReload }) => needsReload);
}

export function forget(about) {
  troubles.delete(about);
  showTroubles();
}

// The service is back: that it was away when something was read is not so any more, and was said long enough to be read.
export function forgetPassed() {
  const isPassed = ({ isAway, isRead, since }) => isAway && isRead && performance.now() - since > READ_MS;
  for (const [about, failure] of [...troubles]) if (isPassed(failure)) troubles.delete(about);
  showTroubles();
}

// Another view has come: what went wrong with the one before is no longer of interest.
export function forgetAllBut(kept) {
  visit += 1;
  keptBeyond = kept;
  for (const about of [...troubles.keys()]) if (!kept.includes(about)) troubles.delete(about);
  showTroubles();
}
