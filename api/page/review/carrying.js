// Decisions that were left when another revision came: about the same photos, under the same labels, they still hold.

import { counted } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { earlier, takeOver } from "./decisions.js";

const PAGE = 200;
const OVER = new Set(["failed", "cancelled"]);

// A sentence about how many were carried; empty where there was none.
export async function carryOver(dataset, vocab, isCurrent) {
  const kept = earlier(dataset);
  const all = kept.flatMap(([, decisions]) => decisions);
  if (!all.length) return "";
  const states = await statesOf(new Set(all.map(({ sent }) => sent).filter(Boolean)));
  const left = all.filter(({ sent }) => sent === undefined || OVER.has(states.get(sent)));
  const found = await foundAgain(dataset, vocab, left);
  if (!isCurrent()) return "";
  const waits = ({ sent }) => sent !== undefined && !OVER.has(states.get(sent)) && states.get(sent) !== "succeeded";
  takeOver(found, kept.map(([place, decisions]) => [place, decisions.filter(waits)]));
  return said(found.length, left.length - found.length);
}

async function statesOf(jobs) {
  return new Map(await Promise.all([...jobs].map(async (id) => [id, await stateOf(id)])));
}

// A job that is not on record has made nothing.
async function stateOf(id) {
  try {
    return (await ask(`/jobs/${id}`)).state;
  } catch (error) {
    if (error.code !== "not_found") throw error;
    return "cancelled";
  }
}

// A photo's number may be another in each revision; its path is not.
async function foundAgain(dataset, vocab, left) {
  const breeds = new Set(left.map(({ before }) => before).filter((breed) => vocab.includes(breed)));
  const paths = new Set(left.map(({ path }) => path));
  const places = new Map();
  for (const breed of breeds) {
    for (const one of await photosOf(dataset, breed)) if (paths.has(one.path)) places.set(`${breed}/${one.path}`, one);
  }
  return left.flatMap(({ sent, ...one }) => {
    // What people sent to be predicted is in no revision.
    if (typeof one.item === "string") return [one];
    const now = places.get(`${one.before}/${one.path}`);
    return now ? [{ ...one, item: now.item, image: now.image }] : [];
  });
}

async function photosOf(dataset, breed) {
  const query = new URLSearchParams({ breed, limit: PAGE });
  const photos = [];
  let cursor = "";
  do {
    const page = await ask(`/datasets/${encodeURIComponent(dataset)}/items?${query}${cursor}`);
    photos.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor);
  return photos;
}

function said(found, lost) {
  if (!found && !lost) return "";
  const gone = lost ? ` ${lost} could not: ${lost === 1 ? "the photo has" : "those photos have"} gone or got another label.` : "";
  return `The dataset has a new revision: ${counted(found, "unsaved decision")} came along.${gone}`;
}
