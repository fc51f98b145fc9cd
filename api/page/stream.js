// One stream of events for all tabs of a browser. It opens six connections to a host and each stream keeps one: with one
// in each tab the seventh tab would wait for ever. The tab that holds the lock has the stream and tells the others; when
// it goes, the next in line goes on after the last event that all of them have heard.

const NAME = "pedigree-events";
const KINDS = ["start", "progress", "batch", "epoch", "state", "log"];
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
    source = new EventSource(last === null ? "/events" : `/events?after=${last}`);
    for (const kind of KINDS) source.addEventListener(kind, (event) => pass({ kind, id: Number(event.lastEventId), ...JSON.parse(event.data) }));
    // A browser reconnects by itself, but not after an answer that is no stream.
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) again = setTimeout(connect, AGAIN_MS); });
  }
  function end() {
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
  if (told.kind === "start") {
    const isGapless = told.id === last;
    last = told.id;
    if (isGapless) return;
  } else if (last !== null && told.id <= last) {
    return;
  }
  last = told.id;
  for (const act of hearers) act(told);
}

function come() {
  isHere = !document.hidden;
  if (hasLocks && !channel) {
    channel = new BroadcastChannel(NAME);
    channel.addEventListener("message", ({ data }) => take(data));
  }
  settle();
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
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(go, HIDDEN_MS);
    else come();
  });
  addEventListener("pagehide", () => {
    go();
    channel?.close();
    channel = null;
  });
  addEventListener("pageshow", (event) => { if (event.persisted) come(); });
  come();
}
