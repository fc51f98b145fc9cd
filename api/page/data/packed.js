// A chosen folder as one archive: an uncompressed tar whose parts are read only when they are sent.

const BLOCK = 512;
const NAME_BYTES = 100;
const FILE = "0";
const EXTENDED = "x";
const utf8 = new TextEncoder();

const padded = (size) => (BLOCK - (size % BLOCK)) % BLOCK;
const octal = (number, length) => `${number.toString(8).padStart(length - 1, "0")}\0`;

function header(name, size, kind) {
  const block = new Uint8Array(BLOCK);
  const put = (text, place) => block.set(utf8.encode(text), place);
  block.set(utf8.encode(name).slice(0, NAME_BYTES), 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(0, 12), 108);
  put("        ", 148);
  put(kind, 156);
  put("ustar\x0000", 257);
  put(`${octal(block.reduce((sum, byte) => sum + byte, 0), 7)} `, 148);
  return block;
}

// A record says its own length, which its own digits are part of.
function record(key, value) {
  const bare = utf8.encode(` ${key}=${value}\n`).length;
  let length = bare + String(bare).length;
  if (String(length).length > String(bare).length) length = bare + String(length).length;
  return utf8.encode(`${length} ${key}=${value}\n`);
}

function entry(path, file) {
  const parts = [];
  if (utf8.encode(path).length > NAME_BYTES || /[^\x20-\x7e]/.test(path)) {
    const told = record("path", path);
    parts.push(header("name", told.length, EXTENDED), told, new Uint8Array(padded(told.length)));
  }
  return [...parts, header(path, file.size, FILE), file, new Uint8Array(padded(file.size))];
}

const isHidden = (path) => path.split("/").some((part) => part.startsWith("."));

// Files with their paths as something to send; the same files in any order make the same bytes.
export function packed(name, files) {
  const seen = files.filter(({ path }) => !isHidden(path)).sort((one, other) => (one.path < other.path ? -1 : 1));
  const blob = new Blob([...seen.flatMap(({ path, file }) => entry(path, file)), new Uint8Array(2 * BLOCK)]);
  const newest = seen.reduce((latest, { file }) => Math.max(latest, file.lastModified), 0);
  return { blob, name, kind: "folder", names: seen.map(({ path }) => path), mark: `${name}|${seen.length}|${blob.size}|${newest}` };
}

// An archive is sent as it is.
function asItIs(file) {
  return { blob: file, name: file.name, kind: "file", names: null, mark: `${file.name}|${file.size}|${file.lastModified}` };
}

const ARCHIVE = /\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$/i;

// What was chosen: one archive, or files with the paths that they have below a folder.
export function sourceOf(found) {
  if (found.length === 0) throw new Error("There are no files in it.");
  if (found.length === 1 && !found[0].path.includes("/")) {
    if (!ARCHIVE.test(found[0].path)) throw new Error(`${found[0].path} is no archive. Choose a zip, a tar or a folder of photos.`);
    return asItIs(found[0].file);
  }
  const folder = found[0].path.includes("/") ? found[0].path.split("/")[0] : "photos";
  return packed(folder, found);
}

// The files of an input, with their paths below the chosen folder.
export const filesOf = (input) => [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

// The files of a drop, those in folders too. To be called while the event is handled.
export async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(roots.map(below))).flat();
}

async function below(root) {
  if (root.isFile) return [{ file: await new Promise((done, fail) => { root.file(done, fail); }), path: root.fullPath.slice(1) }];
  const reader = root.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => { reader.readEntries(done, fail); });
    if (some.length === 0) return found;
    for (const one of some) found.push(...await below(one));
  }
}
