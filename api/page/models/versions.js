// The table of versions.

import { firstOf } from "../frame/listed.js";
import { byId, cell, datasetLink, drawnTag, fill, labelled, make, percent, runLink } from "../frame/parts.js";
import { localTime, shortTime } from "../frame/times.js";
import { versionLink } from "./served.js";

const PAGE = 50;
let wanted = PAGE;

export function showMoreVersions() {
  wanted += PAGE;
}

// Newest first, as many as are wanted.
export const readVersions = () => firstOf("/models", wanted);

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
    labelled("Error rate", percent(one.error_rate)), labelled("Calibration error", one.calibration_error === null ? "–" : one.calibration_error.toFixed(3)),
    cell(runLink(one.run)), cell(make("time", { datetime: one.created_at, title: localTime(one.created_at) }, shortTime(one.created_at))));
}
