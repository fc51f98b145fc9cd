// What to label next: photos without a label in the order in which a label teaches most, with the model's guesses.

import { addressOf, amend, here, placeOf, queryNumber } from "../frame/address.js";
import { enlarge } from "../frame/enlarged.js";
import { jobLine } from "../frame/job_line.js";
import { byId, counted, FINAL, make, words } from "../frame/parts.js";
import { ask, forget, tell } from "../frame/service.js";
import { want } from "../frame/stream.js";
import { writeNew } from "../frame/written.js";
import { decide, decided, decisions, openDecisions, undo } from "../review/decisions.js";
import { listenToKeys } from "../review/keys.js";
import { largePhoto, showStage } from "../review/stage.js";
import { leaveBegin, prepareBegin, showBegin } from "./begin.js";
import { checkSaved, leaveSaved, prepareSaving, showInto, showTray } from "./saving.js";

const MOST = 100;
// So little ahead of the second guess the first is none.
const UNDECIDED = 0.2;
const ORDERS = [["uncertain", "Most uncertain"], ["different", "Most different"]];
// No dataset has that name.
const PLACE = "label next";
const PARTS = ["label-begin", "label-job", "label-orders", "label-none", "label-desk"];
const HOW = { drop: "Leave it out", dropKind: "secondary", done: "You have labelled every photo of this list.", list: "label-breeds" };

let found = null;
let shown = null;
let question = 0;
let isHere = false;
let isReady = false;

const order = () => (placeOf().query.get("by") === "different" ? "different" : "uncertain");
const asked = () => JSON.stringify([queryNumber("job"), order()]);
const only = (...ids) => { for (const id of PARTS) byId(id).hidden = !ids.includes(id); };
const items = () => found?.items ?? [];

const position = () => {
  const at = items().findIndex(({ item }) => String(item) === placeOf().query.get("at"));
  return at < 0 ? Math.max(0, nextOpen(-1)) : at;
};

function nextOpen(after) {
  const open = [...items().keys()].filter((at) => !decided(items()[at].item));
  return open.find((at) => at > after) ?? open[0] ?? -1;
}

const goTo = (at) => { if (items()[at]) amend({ at: items()[at].item }); };

function choose(action, label = null) {
  const at = position();
  const one = items()[at];
  if (!one || (action === "relabel" && !label) || (action === "keep" && one.label === null)) return;
  decide([one], action === "relabel" && label === one.label ? "keep" : action, label);
  const next = nextOpen(at);
  goTo(next < 0 ? at : next);
}

function takeBack(item) {
  const gone = undo(item);
  if (gone !== null) amend({ at: gone });
}

const acts = {
  choose, takeBack, goTo,
  step: (by) => goTo(Math.min(Math.max(position() + by, 0), items().length - 1)),
  current: () => items()[position()],
  takesNew: true,
};

// What is shown in the form of the photos that are reviewed: what the model takes it for is what it suggests.
function read(answer) {
  const one = ({ path, item, guesses, ...rest }) => ({ ...rest, path, guesses, item: item ?? path, suggested: guesses[0] ?? null, label_probability: null });
  return { ...answer, items: answer.items.map(one) };
}

function why({ margin, guesses: [first, second] }, place) {
  if (order() === "different") {
    return place === 0 ? "Most unlike the usual photo of these." : "Most unlike all the photos before it in this list.";
  }
  if (!second) return "";
  if (margin < UNDECIDED) return `The model cannot decide between ${words(first.breed)} and ${words(second.breed)}.`;
  return `The model is fairly sure: ${words(first.breed)} is ${Math.round(100 * margin)} points ahead of ${words(second.breed)}.`;
}

function draw() {
  only("label-orders", items().length ? "label-desk" : "label-none");
  byId("label-orders").replaceChildren(...ORDERS.map(([by, text]) => make("a", {
    class: "button secondary", href: here({ by: by === "uncertain" ? null : by, at: null }), "aria-current": by === order() ? "true" : null,
  }, text)));
  byId("label-none").textContent = "No photo of these could be looked at.";
  if (items().length) {
    const place = position();
    showStage(byId("label-stage"), { items: items(), waiting: items().length, next: null }, place, nextOpen(-1) < 0, acts,
      { ...HOW, why: why(items()[place], place) });
    showTray(found, acts);
  }
  const isThere = enlarge(items().filter(({ image }) => image).map(largePhoto), placeOf().query.get("photo"));
  tell("photo", isThere ? null : Promise.reject(new Error("That photo is not in this list.")));
}

function showHead() {
  const { of, dataset, upload, job } = found;
  const whose = dataset ? [" of ", make("a", { href: addressOf(`data/${dataset}`) }, dataset)] : [];
  byId("label-about").replaceChildren(`The ${counted(items().length, "photo")} that teach most, of ${of}`, ...whose, `, by the predictions of job ${job}. `,
    make("a", { href: addressOf("label", { dataset, upload }) }, "Look through others, or again"));
}

async function showJob(id) {
  const number = ++question;
  const now = asked();
  const job = await ask(`/jobs/${id}`);
  if (number !== question) return;
  want("label", !FINAL.has(job.state));
  if (job.state !== "succeeded") {
    only("label-job");
    const title = FINAL.has(job.state) ? "The photos could not be looked through" : "Looking through the photos";
    writeNew("label-job", job, (place) => place.replaceChildren(make("h3", {}, title), make("ul", {}, jobLine(`Job ${id}`, job))));
    return;
  }
  const answer = await ask(`/jobs/${id}/label-next?by=${order()}&limit=${MOST}`);
  if (number !== question) return;
  [found, shown] = [read(answer), now];
  openDecisions(PLACE, `${answer.dataset ?? ""} ${answer.revision ?? answer.upload ?? id}`);
  const known = [...new Set([...answer.vocab, ...decisions().map(({ label }) => label).filter(Boolean)])];
  byId("label-breeds").replaceChildren(...known.map((value) => make("option", { value })));
  showHead();
  draw();
  await Promise.all([checkSaved(), answer.upload === null ? null : showInto()]);
}

async function show() {
  const id = queryNumber("job");
  if (id !== null) {
    if (shown === asked()) return draw();
    found = null;
    return showJob(id);
  }
  question += 1;
  want("label", false);
  [found, shown] = [null, null];
  byId("label-about").textContent = "";
  only("label-begin");
  byId("label-saved").hidden = true;
  return showBegin();
}

function prepare() {
  isReady = true;
  prepareBegin();
  prepareSaving({ found: () => found, redraw: () => { if (found) draw(); } });
  listenToKeys(acts, () => isHere && !byId("label-desk").hidden);
  byId("label-undo").addEventListener("click", () => takeBack());
}

export const label = {
  title: () => "What to label next",
  open() {
    if (!isReady) prepare();
    isHere = true;
    [found, shown] = [null, null];
    only();
    return show();
  },
  turn: show,
  refresh: () => (found ? checkSaved() : queryNumber("job") !== null ? showJob(queryNumber("job")) : null),
  hear: ({ kind, job }) => kind === "progress" && job === queryNumber("job") && !found,
  close() {
    isHere = false;
    question += 1;
    want("label", false);
    forget("photo");
    leaveSaved();
    leaveBegin();
  },
};
