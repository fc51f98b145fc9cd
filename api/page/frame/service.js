// Asking the service, and the line that says when something went wrong.

import { at } from "./address.js";
import { keyGiven } from "./session.js";

const troubles = new Map();

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
    throw Object.assign(new Error("The service does not answer."), { isAway: true });
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && !isAgain) {
    await keyGiven();
    return answerOf(path, options, true);
  }
  const isProblem = answer.headers.get("Content-Type")?.includes("json");
  const problem = isProblem ? await answer.json() : { detail: `The service answers ${answer.status} to ${path}` };
  throw Object.assign(new Error(reasonOf(problem)), { code: problem.code, problem });
}

export async function ask(path, options) {
  const answer = await answerOf(path, options);
  return answer.status === 204 ? null : answer.json();
}

// A picture, or an error with the reason for which there is none.
export async function askForPicture(path, options) {
  return (await answerOf(path, options)).blob();
}

// How far something is that is made when it is asked for; null once it is there. Its bytes are for the browser to save.
export async function askWhetherMade(path) {
  const answer = await answerOf(path, { headers: { Prefer: "respond-async" } });
  if (answer.status === 202) return answer.json();
  await answer.body.cancel();
  return null;
}

// Show what goes wrong with a piece of work until the same piece goes well. Comes to the error, or to null.
export async function tell(about, work) {
  let failure = null;
  try {
    await work;
    troubles.delete(about);
  } catch (error) {
    failure = error;
    troubles.set(about, error.message);
  }
  showTroubles();
  return failure;
}

function showTroubles() {
  const place = document.getElementById("trouble");
  const text = [...new Set(troubles.values())].join(" ");
  // An alert is read aloud whenever it is written.
  if (place.textContent !== text) place.textContent = text;
}

export function forget(about) {
  troubles.delete(about);
  showTroubles();
}

// Another view has come: what went wrong with the one before is no longer of interest.
export function forgetAllBut(kept) {
  for (const about of [...troubles.keys()]) if (!kept.includes(about)) troubles.delete(about);
  showTroubles();
}
