// Sending an archive by TUS 1.0.0: piece by piece, going on after a break where the service stands.

import { at } from "../frame/address.js";
import { ask, reasonOf } from "../frame/service.js";

const PIECE = 8 * 1024 * 1024;
const VERSION = { "Tus-Resumable": "1.0.0" };
const LONGEST_WAIT_S = 30;
const WINDOW_MS = 8000;
// The service has the upload no more as it was, and trying again changes nothing.
const FINAL = new Set([400, 404, 412, 413, 415, 507]);

const inBase64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

// Make room for it; the upload as the service tells it.
export function begin({ blob, name }) {
  const headers = { ...VERSION, "Upload-Length": blob.size, "Upload-Metadata": `filename ${inBase64(name.slice(0, 200))}` };
  return ask("/uploads", { method: "POST", headers });
}

// Whoever has it in hand may need a moment to notice that the connection is gone.
export async function discard(id) {
  for (let tries = 0; ; tries += 1) {
    try {
      await ask(`/uploads/${id}`, { method: "DELETE", headers: VERSION });
      return;
    } catch (error) {
      if (error.code === "not_found") return;
      if (error.code !== "upload_locked" || tries === 5) throw error;
      await new Promise((done) => { setTimeout(done, 500); });
    }
  }
}

export class Transfer {
  // `show` is called whenever something has changed; `state` is sending, paused, waiting, done or failed.
  constructor(source, upload, show) {
    Object.assign(this, { source, id: upload.id, offset: upload.offset, length: upload.length, show });
    this.state = "paused";
    this.reason = "";
    this.sent = [];
    this.tries = 0;
    this.round = 0;
  }

  async start() {
    if (this.state === "sending" || this.state === "done") return;
    this.turn("sending");
    this.sent = [];
    // After a pause another round may have begun while this one still waited for an answer.
    const mine = this.round += 1;
    const isMine = () => mine === this.round;
    while (isMine() && this.offset < this.length && this.state === "sending") await this.step(isMine);
    if (isMine() && this.state === "sending") this.turn("done");
  }

  async step(isMine) {
    const piece = this.source.blob.slice(this.offset, this.offset + PIECE);
    const { status, offset, problem } = await this.send(piece);
    if (!isMine() || this.state !== "sending") return;
    if (status === 204) {
      this.offset = offset;
      this.tries = 0;
    } else if (FINAL.has(status)) {
      this.turn("failed", problem ?? "The service does not take it.");
    } else {
      await this.recover(piece, isMine);
    }
  }

  // Wait longer each time, and go on where the service stands.
  async recover(piece, isMine) {
    try {
      await piece.slice(0, 1).arrayBuffer();
    } catch {
      this.turn("failed", "The file has changed, or is gone. Choose it again.");
      return;
    }
    this.turn("waiting", "The connection is broken. It goes on as soon as the service answers.");
    await this.rest(Math.min(LONGEST_WAIT_S, 2 ** this.tries) * 1000);
    this.tries += 1;
    const isWaiting = () => isMine() && this.state === "waiting";
    if (!isWaiting()) return;
    try {
      const { offset } = await ask(`/uploads/${this.id}`);
      if (isWaiting()) this.offset = offset;
    } catch (error) {
      if (isWaiting() && error.code === "not_found") this.turn("failed", error.message);
      // Without an answer the next piece fails too, and waits again.
    }
    if (isWaiting()) this.turn("sending");
  }

  rest(milliseconds) {
    return new Promise((done) => {
      this.wake = () => {
        clearTimeout(timer);
        removeEventListener("online", this.wake);
        done();
      };
      const timer = setTimeout(this.wake, milliseconds);
      addEventListener("online", this.wake);
    });
  }

  // fetch tells nothing of what has been sent.
  send(piece) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open("PATCH", at(`/uploads/${this.id}`));
      const headers = { ...VERSION, "Upload-Offset": this.offset, "Content-Type": "application/offset+octet-stream" };
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded }) => this.note(this.offset + Math.min(loaded, piece.size));
      request.onload = () => done({ status: request.status, offset: Number(request.getResponseHeader("Upload-Offset")), problem: told(request) });
      request.onerror = request.onabort = () => done({ status: 0 });
      request.send(piece);
    });
  }

  note(bytes) {
    const now = performance.now();
    this.sent = [...this.sent.filter(({ when }) => now - when < WINDOW_MS), { when: now, bytes }];
    this.show(this);
  }

  // Bytes that have gone out, which the service may not have yet.
  get seen() {
    return this.state === "sending" ? Math.max(this.offset, this.sent.at(-1)?.bytes ?? 0) : this.offset;
  }

  // Bytes a second; null while it cannot be told.
  get rate() {
    const [first, last] = [this.sent[0], this.sent.at(-1)];
    return first && last.when - first.when > 500 ? (1000 * (last.bytes - first.bytes)) / (last.when - first.when) : null;
  }

  pause() {
    if (this.state === "done" || this.state === "failed") return;
    this.turn("paused");
    this.request?.abort();
    this.wake?.();
  }

  // After a pause the service may have more than it told.
  async resume() {
    this.offset = (await ask(`/uploads/${this.id}`)).offset;
    await this.start();
  }

  turn(state, reason = "") {
    Object.assign(this, { state, reason });
    this.show(this);
  }
}

function told(request) {
  if (request.status < 400 || !request.getResponseHeader("Content-Type")?.includes("json")) return null;
  return reasonOf(JSON.parse(request.responseText));
}
