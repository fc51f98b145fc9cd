// One stream of events for all tabs of a browser. It opens six connections to a host and each stream keeps one: with one
// in each tab the seventh tab would wait for ever. The tab that holds the lock has the stream and tells the others; when
// it goes, the next in line goes on after the last event that all of them have heard.

import { at } from "./address.js";

const NAME = "pedigree-events";
const KINDS = ["start", "progress", "batch", "epoch", "state", "trial", "log"];
const AGAIN_MS = 3000;
// Without locks (plain http to another machine) each tab in sight has a stream of its own, and none out of sight.
const hasLocks = Boolean(navigator.locks);
const HIDDEN_MS = hasLocks ? 30000 : 0;

const hearers = [];
const reasons = new Set();
let channel = null;
let turn = null;
let last = null;
let isHere = false;
let leading = false;
let leaving = 0;

// Call `act` with each {kind, id, job, data}. "start" means that events may have been missed.
export function hear(act) {
  hearers.push(act);
}

// Whether this tab has a reason to listen: something that it shows is not finished.
export function want(reason, isWanted) {
  if (isWanted) reasons.add(reason);
  else reasons.delete(reason);
  settle();
}

function settle() {
  const isWanted = isHere && reasons.size > 0;
  if (isWanted && !turn) takeTurn();
  if (isWanted || !turn) return;
  turn.abort();
  turn = null;
  // Nobody waits for what happens until the next wish: it is not told then.
  last = null;
}

function takeTurn() {
  turn = new AbortController();
  const { signal } = turn;
  const lead = () => new Promise((done) => { openStream(signal, done); });
  if (!hasLocks) lead();
  else navigator.locks.request(NAME, { signal }, lead).catch((error) => { if (error.name !== "AbortError") throw error; });
}

function openStream(signal, done) {
  let source = null;
  let again = 0;
  function connect() {
    leading = true;
    source = new EventSource(at(last === null ? "/events" : `/events?after=${last}`));
    for (const kind of KINDS) source.addEventListener(kind, (event) => pass({ kind, id: Number(event.lastEventId), ...JSON.parse(event.data) }));
    // A browser reconnects by itself, but not after an answer that is no stream.
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) again = setTimeout(connect, AGAIN_MS); });
  }
  function end() {
    leading = false;
    clearTimeout(again);
    source?.close();
    done();
  }
  if (signal.aborted) return end();
  signal.addEventListener("abort", end, { once: true });
  return connect();
}

function pass(told) {
  channel?.postMessage(told);
  take(told);
}

function take(told) {
  if (!isHere) return;
  const before = last;
  if (told.kind !== "start" && before !== null && told.id <= before) return;
  last = told.id;
  // What is shown was read just before the first start.
  if (told.kind === "start" && (before === null || before === last)) return;
  for (const act of hearers) act(told);
}

function come() {
  clearTimeout(leaving);
  isHere = !document.hidden;
  if (hasLocks && !channel) {
    channel = new BroadcastChannel(NAME);
    channel.addEventListener("message", ({ data }) => (data.kind === "come" ? greet() : take(data)));
  }
  channel?.postMessage({ kind: "come" });
  settle();
}

// A tab that has come knows from where to go on, should it be the next, before anything happens.
function greet() {
  if (leading && last !== null) channel.postMessage({ kind: "start", id: last });
}

// A page in the browser's cache of left pages would keep its connection.
function go() {
  isHere = false;
  // What is said from now on may not be heard.
  last = null;
  settle();
}

export function keepStream() {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return come();
    clearTimeout(leaving);
    leaving = setTimeout(go, HIDDEN_MS);
  });
  // A browser stops tabs that have long been out of sight: they would keep the stream and pass nothing on.
  document.addEventListener("freeze", go);
  document.addEventListener("resume", come);
  addEventListener("pagehide", () => {
    go();
    channel?.close();
    channel = null;
  });
  addEventListener("pageshow", (event) => { if (event.persisted) come(); });
  come();
}
