// The inputs of a config's fields, made from what the service says of them.

import { make } from "../frame/parts.js";
import { sentence } from "../frame/service.js";

// 0.0000001 is read more easily as 1e-7.
const number = (value) => (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential().replace("e+", "e") : String(value));
export const shown = (value) => {
  if (Array.isArray(value)) return value.map(shown).join(", ");
  return typeof value === "number" ? number(value) : value === null || value === undefined ? "" : String(value);
};

// "from 2 to 4096 photos"
function range({ least, most, above, below, unit, words, pair, type }) {
  const isFar = (bound) => Math.abs(bound) >= 1e15 || (bound !== 0 && Math.abs(bound) <= 1e-15);
  const ends = [["from", least], ["above", above], ["to", most], ["below", below]].filter(([, bound]) => bound !== null && !isFar(bound));
  const bounds = [...ends.map(([word, bound]) => `${word} ${number(bound)}`), ...(unit && type !== "text" ? [unit] : [])].join(" ");
  return [bounds, pair ? "or two, “first, last”" : "", ...words.map((word) => `or “${word}”`)].filter(Boolean).join(" ");
}

// What a text says, and what is wrong with it where it is nothing of the kind.
export function parsed(field, text) {
  const plain = text.trim();
  if (field.type === "text") return plain ? { value: plain } : { wrong: "Give a name." };
  if (field.words.includes(plain)) return { value: plain };
  const numbers = plain.split(/[,\s]+/).filter(Boolean).map(Number);
  const isOne = numbers.length === 1 || (field.pair && numbers.length === 2);
  const isFine = isOne && numbers.every((one) => within(field, one));
  if (isFine) return { value: numbers.length === 2 ? numbers : numbers[0] };
  const kind = field.type === "whole number" ? "a whole number" : "a number";
  return { wrong: `Give ${kind} ${range(field)}`.trim().concat(".") };
}

function within({ type, least, most, above, below }, value) {
  if (!Number.isFinite(value) || (type === "whole number" && !Number.isInteger(value))) return false;
  return !((least !== null && value < least) || (most !== null && value > most) || (above !== null && value <= above) || (below !== null && value >= below));
}

const capital = (text) => `${text[0].toUpperCase()}${text.slice(1)}`;
const LABELS = { base_lr: "Learning rate", lr_max: "Learning rate", epochs: "Epochs", freeze_epochs: "Epochs of the head alone", freeze: "Head only" };
const idOf = (name) => `set-${name.replaceAll(".", "-")}`;

// `change(name, value)` takes what is sound; `wrong(name, sentence)` what is not, and an empty one once it is.
export function fieldInput(field, change, wrong) {
  const { name, meaning } = field;
  const id = idOf(name);
  const input = inputOf(field, id, change, wrong);
  const label = LABELS[name] ?? name;
  const note = make("span", { class: "hint", id: `${id}-about` }, `${sentence(meaning)} `, make("span", { class: "range" }));
  const error = make("span", { class: "hint bad", id: `${id}-wrong`, "data-error": name, role: "alert" });
  const isSwitch = field.type === "switch";
  const head = isSwitch ? make("label", { class: "check", for: id }, input, label) : make("label", { for: id }, label);
  return make("div", { class: "field", "data-of": name, "data-range": range(field) }, head, ...(isSwitch ? [] : [input]), error, note);
}

function inputOf(field, id, change, wrong) {
  const { name, type, choices } = field;
  const options = { id, "data-field": name, "aria-describedby": `${id}-wrong ${id}-about` };
  if (type === "switch") return make("input", { ...options, type: "checkbox", on: { change: ({ target }) => change(name, target.checked) } });
  if (type === "choice") {
    return make("select", { ...options, on: { change: ({ target }) => change(name, target.value) } }, ...choices.map((one) => make("option", {}, one)));
  }
  const hear = ({ target }) => {
    const { value, wrong: sentence } = parsed(field, target.value);
    wrong(name, sentence ?? "");
    if (sentence === undefined) change(name, value);
  };
  return make("input", { ...options, type: "text", inputmode: field.words.length || field.pair || type === "text" ? null : "decimal", autocomplete: "off", spellcheck: "false", on: { input: hear } });
}

// Write a value into its input; where somebody types it stays as it is typed.
export function setInput(host, name, value, usual) {
  const part = host.querySelector(`[data-of="${CSS.escape(name)}"]`);
  const input = part?.querySelector("[data-field]");
  if (!input) return;
  if (input.type === "checkbox") input.checked = value === true;
  else if (input !== document.activeElement || input.tagName === "SELECT") input.value = shown(value);
  const isChanged = JSON.stringify(value) !== JSON.stringify(usual);
  part.classList.toggle("changed", isChanged);
  const { range: bounds } = part.dataset;
  const words = usual === true ? "on" : usual === false ? "off" : shown(usual) || "empty";
  const at = `usually ${words}`;
  part.querySelector(".range").textContent = capital(bounds ? `${bounds}; ${at}.` : `${at}.`);
}

// Say what is wrong with a field where it stands; true where it has a place.
export function sayWrong(host, name, sentence) {
  const place = host.querySelector(`[data-error="${CSS.escape(name)}"]`);
  if (!place) return false;
  if (place.textContent !== sentence) place.textContent = sentence;
  const input = host.querySelector(`[data-field="${CSS.escape(name)}"]`);
  if (sentence) input?.setAttribute("aria-invalid", "true");
  else input?.removeAttribute("aria-invalid");
  return true;
}
