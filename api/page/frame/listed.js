// Lists that the service sends a page at a time.

import { ask } from "./service.js";

const MOST_AT_ONCE = 200;

// The first so many of the list at a path, by its query, and whether those are all; with what its page says besides.
export async function firstOf(path, count, asked = {}) {
  const [items, query] = [[], new URLSearchParams(asked)];
  let page = null;
  do {
    if (page) query.set("cursor", page.next_cursor);
    query.set("limit", Math.min(MOST_AT_ONCE, count - items.length));
    page = await ask(`${path}?${query}`);
    items.push(...page.items);
  } while (page.next_cursor && items.length < count);
  return { ...page, items, isAll: page.next_cursor === null };
}

const MOST_DATASETS = 10_000;

// The datasets that one is chosen from: all, within reason.
export const allDatasets = async () => (await firstOf("/datasets", MOST_DATASETS)).items;
