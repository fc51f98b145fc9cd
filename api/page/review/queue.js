// The photos to review, page by page.

import { ask } from "../frame/service.js";

const PAGE = 50;
const NONE = { items: [], next: null, revision: null, vocab: [], run: null, side: null, examined: null, waiting: null, wrong: null, problem: null };

let shown = NONE;
let path = null;
let loading = null;

export const queue = () => shown;

// What was asked for last is what is shown; what cannot be is the queue's problem, said where the photos would be.
export async function loadQueue(dataset, source, run) {
  const query = new URLSearchParams({ source, limit: PAGE, ...(run && source !== "feedback" ? { run } : {}) });
  const asked = `/datasets/${encodeURIComponent(dataset)}/review?${query}`;
  path = asked;
  loading = null;
  let next = NONE;
  try {
    const { items, next_cursor: cursor, ...about } = await ask(asked);
    next = { ...NONE, ...about, items, next: cursor };
  } catch (error) {
    // A service that is away says nothing about the labels.
    if (!error.code || error.isAway) throw error;
    next = { ...NONE, problem: error };
  }
  if (path === asked) shown = next;
}

// The next page, once for all that ask for it meanwhile.
export async function more() {
  if (shown.next === null) return;
  const asked = path;
  loading ??= ask(`${path}&cursor=${shown.next}`);
  const { items, next_cursor: cursor } = await loading.finally(() => { if (path === asked) loading = null; });
  if (path !== asked || shown.next === null || shown.next === cursor) return;
  const known = new Set(shown.items.map(({ item }) => item));
  shown = { ...shown, next: cursor, items: [...shown.items, ...items.filter(({ item }) => !known.has(item))] };
}
