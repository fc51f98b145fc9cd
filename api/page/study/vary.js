// What may vary, as lines of text: read for the request, and suggested for a field.

const LINE = /^\s*([A-Za-z_][\w.]*)\s*[=:]\s*(.+?)\s*$/;
const RANGE = /^(\S+?)\s*\.\.\s*(\S+?)(?:\s+(log|step\s+(\S+)))?$/;
// The service says why (ml/study/plan.py): other photos would be measured, or luck.
const KEPT = new Set(["recipe", "split", "valid_pct", "split_seed", "seed"]);
const RATES = new Set(["base_lr", "weight_decay"]);
const SOME_ARCHS = ["resnet18", "resnet34", "mobilenet_v3_large"];
const FEW = 3;

function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function domainOf(text) {
  const range = RANGE.exec(text);
  if (!range) return text.split(",").map((part) => valueOf(part.trim()));
  const [, low, high, how, step] = range;
  const domain = { low: valueOf(low), high: valueOf(high) };
  if (how === "log") return { ...domain, log: true };
  return step ? { ...domain, step: valueOf(step) } : domain;
}

// The space that the lines say; an error with the line that says nothing.
export function spaceOf(text) {
  const space = {};
  for (const line of text.split("\n").filter((one) => one.trim())) {
    const found = LINE.exec(line);
    if (!found) throw new Error(`“${line.trim()}” is no field with its values. Write it as size = 96, 128.`);
    const [, name, values] = found;
    if (name in space) throw new Error(`${name} is there twice. Put its values on one line.`);
    space[name] = domainOf(values);
  }
  return space;
}

// Fields with a single value that a fine-tuning has.
export const searchable = (fields) => fields.filter(({ name, kinds, recipe, type }) =>
  kinds.includes("train") && (recipe === null || recipe === "fine_tune") && type !== "list" && !KEPT.has(name));

// A line to begin with: around the default, within the bounds; of networks some of those `near`, whose weights are here.
export function lineFor({ name, type, choices, default: usual, least, most }, near) {
  if (name === "arch") return `arch = ${(near.length > 1 ? near.slice(0, FEW) : SOME_ARCHS).join(", ")}`;
  if (choices) return `${name} = ${choices.join(", ")}`;
  if (type === "switch") return `${name} = true, false`;
  if (RATES.has(name)) return `${name} = ${usual / 10}..${usual * 10} log`;
  if (type === "whole number") return `${name} = ${Math.max(least ?? 1, Math.round(usual / 2))}..${Math.min(most ?? Infinity, usual * 2)}`;
  const bottom = least ?? usual / 2;
  return usual ? `${name} = ${usual / 2}..${Math.min(most ?? Infinity, usual * 2)}` : `${name} = ${bottom}..${most === null || most > 1 ? bottom + 1 : most}`;
}
