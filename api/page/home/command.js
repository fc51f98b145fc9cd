// The same request as a command, to copy.

import { at } from "../frame/address.js";
import { copyButton } from "../frame/clipboard.js";
import { make } from "../frame/parts.js";
import { isSignedIn } from "../frame/session.js";

// A word of a POSIX shell: \x27 is its quote, which ends, stands escaped, and begins again.
const quoted = (text) => `\x27${text.replaceAll("\x27", "\x27\\\x27\x27")}\x27`;

// curl ends a file's name at a comma or a semicolon, unless it is in double quotes: \x22.
const fileOf = (name) => (/[,;\x22\\]/.test(name) ? `\x22${name.replace(/[\x22\\]/g, "\\$&")}\x22` : name);

// The page signs in by a cookie; a command shows a key, which its user puts into the variable.
const KEY = "-H \x22Authorization: Bearer $PEDIGREE_KEY\x22 ";

const commandOf = (name, query) =>
  `curl ${isSignedIn() ? KEY : ""}-F ${quoted(`file=@${fileOf(name)}`)} ${quoted(`${location.origin}${at("/predict")}?${query}`)}`;

export function asCommand(name, query) {
  const code = make("code", { tabindex: 0 }, commandOf(name, query));
  return make("details", { class: "command" }, make("summary", {}, "As a command"), make("pre", {}, code), copyButton(code));
}
