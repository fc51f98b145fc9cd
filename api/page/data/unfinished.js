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

export const keep = (id, { name, kind, mark }, size) => write([{ ...known(id), id, name, kind, mark, size }, ...read().filter((one) => one.id !== id)]);

const known = (id) => read().find((one) => one.id === id) ?? null;

// How its label rule stands in the form, which a reload or a closed tab does not undo.
export const formOf = (id) => known(id)?.form ?? {};

export const keepForm = (id, form) => write(read().map((one) => (one.id === id ? { ...one, form } : one)));

export const drop = (id) => write(read().filter((one) => one.id !== id));

// The one that was begun of the same file or folder.
export const begunOf = ({ mark }) => read().find((one) => one.mark === mark) ?? null;
