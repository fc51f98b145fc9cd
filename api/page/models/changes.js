// Changes of what aliases point at. Each says first what it changes.

import { confirmed } from "../frame/confirm.js";
import { ask, tell } from "../frame/service.js";
import { whatItDoes } from "./names.js";
import { comparedRates } from "./replacing.js";
import { registered, showServed, whileLoading } from "./served.js";

const send = (method, path, body) => ask(path, body === undefined ? { method } : {
  method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});
const pathOf = (alias) => `/models/aliases/${encodeURIComponent(alias)}`;

// A share as people write it: 5 %, 0.5 %.
export const whole = (share) => `${Number((100 * share).toPrecision(3))}\u00a0%`;

// Ask, do, and show what has become of it; `after` reads the view anew. `isQuick`: no model is loaded for it.
async function change(question, act, after, isQuick = false) {
  if (!(await confirmed(question))) return;
  await tell("change", isQuick ? act() : whileLoading(act()));
  await tell("served", showServed());
  await tell("view", after());
  // The button that was pressed may be gone with what it did.
  if (document.activeElement === document.body) document.querySelector(".view:not([hidden])").focus({ preventScroll: true });
}

export const rollBack = ({ alias, version, before, canary }, after) => change({
  title: `Roll ${alias} back to version ${before}?`,
  says: [`Version ${before} answers in place of version ${version} once it is loaded. Requests under way are answered by version ${version}.`,
    ...canary ? [`The canary, version ${canary.version}, ends.`] : [],
    `Version ${version} stays registered. It can be put back at any time.`],
  act: `Roll back to version ${before}`,
}, () => send("POST", `${pathOf(alias)}/rollback`), after);

export const promote = ({ alias, version, canary }, after) => change({
  title: `Promote version ${canary.version} to ${alias}?`,
  says: [`It answers all requests in place of version ${version}, no longer ${whole(canary.share)} of them.`,
    `Rolling back leads to version ${version}.`],
  act: `Promote version ${canary.version}`,
}, () => send("POST", `${pathOf(alias)}/canary/promote`), after);

export const endCanary = ({ alias, version, canary }, after) => change({
  title: `End the canary of ${alias}?`,
  says: [`Version ${canary.version} no longer answers ${whole(canary.share)} of the requests: version ${version} answers all of them.`],
  act: "End the canary",
}, () => send("DELETE", `${pathOf(alias)}/canary`), after, true);

export async function point(alias, version, now, after) {
  const { says, isWorse } = now ? await ratesBeside(version, now.version) : { says: null, isWorse: false };
  await change({
    title: `Point ${alias} at version ${version}?`,
    says: [now ? `It takes the place of version ${now.version}${now.canary ? `; the canary, version ${now.canary.version}, ends` : ""}. Rolling back leads there again.`
      : `The alias is new. What stands there ${whatItDoes(alias)}.`, ...says ? [says] : []],
    act: `Point ${alias} at version ${version}`,
    isDangerous: isWorse,
  }, () => send("PUT", pathOf(alias), { version }), after);
}

async function ratesBeside(...numbers) {
  const versions = await registered();
  const [given, now] = numbers.map((number) => versions.find((one) => one.version === number))
    .map((one) => one && { ...one, named: `version ${one.version}` });
  return comparedRates(given, given && now ? now : null);
}

export const beCanary = (production, version, share, after) => change({
  title: `Try version ${version} on ${whole(share)} of the requests?`,
  says: [`It answers ${whole(share)} of the requests to ${production.alias}; version ${production.version} answers the others. Each answer names its version.`,
    ...production.canary ? [`It takes the place of the canary of now, version ${production.canary.version}.`] : []],
  act: "Start the canary",
}, () => send("PUT", pathOf(production.alias), { version: production.version, canary: { version, share } }), after);

export const remove = ({ alias, version }, after) => change({
  title: `Remove the alias ${alias}?`,
  says: [alias === "production" ? "No model answers POST /predict any more until a version is put into production again."
    : alias === "shadow" ? `Version ${version} no longer answers production’s photos beside it.`
      : `Who asks for ${alias} is told that there is none.`, `Version ${version} stays registered.`],
  act: `Remove ${alias}`,
  isDangerous: true,
}, () => send("DELETE", pathOf(alias)), after, true);
