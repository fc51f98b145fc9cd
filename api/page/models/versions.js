// The table of versions.

import { byId, cell, datasetLink, drawnTag, fill, make, percent, runLink } from "../frame/parts.js";
import { ask } from "../frame/service.js";
import { localTime, shortTime } from "../frame/times.js";
import { versionLink } from "./served.js";

const PAGE = 50;
const MOST_AT_ONCE = 200;
let wanted = PAGE;

export function showMoreVersions() {
  wanted += PAGE;
}

// Newest first, as many as are wanted.
export async function readVersions() {
  const items = [];
  let cursor = "";
  do {
    const page = await ask(`/models?limit=${Math.min(MOST_AT_ONCE, wanted - items.length)}${cursor}`);
    items.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor && items.length < wanted);
  return { items, isAll: !cursor };
}

export function showVersionTable({ items, isAll }) {
  byId("versions-part").hidden = items.length === 0;
  byId("more-versions").hidden = isAll;
  fill("versions", items.map(row));
}

export const aliasTags = ({ aliases, canary_of: canaryOf }) => [
  ...aliases.map((name) => make("span", { class: `tag${name === "production" ? " drawn" : ""}` }, name)),
  ...canaryOf.map((name) => make("span", { class: "tag" }, `canary of ${name}`)),
].flatMap((tag) => [tag, " "]);

function row(one) {
  return make("tr", { "data-version": one.version },
    cell(versionLink(one.version)), make("td", { class: "tags-of" }, ...aliasTags(one)), cell(one.arch),
    make("td", {}, datasetLink(one.dataset), " ", drawnTag(one.drawn)),
    cell(percent(one.error_rate), true), cell(one.calibration_error === null ? "–" : one.calibration_error.toFixed(3), true),
    cell(runLink(one.run)), cell(make("time", { datetime: one.created_at, title: localTime(one.created_at) }, shortTime(one.created_at))));
}
