// Uploads that this browser has begun: what they are of, so that the same file goes on after the tab was closed.

const KEY = "pedigree-uploads";
const MOST = 20;

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

const write = (kept) => localStorage.setItem(KEY, JSON.stringify(kept.slice(0, MOST)));

export const unfinished = read;

export const keep = (id, { name, kind, mark }, size) => write([{ id, name, kind, mark, size }, ...read().filter((one) => one.id !== id)]);

export const drop = (id) => write(read().filter((one) => one.id !== id));

// The one that was begun of the same file or folder.
export const begunOf = ({ mark }) => read().find((one) => one.mark === mark) ?? null;
