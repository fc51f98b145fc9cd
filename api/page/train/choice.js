// What is chosen, as the address says it: ?dataset= &from= &recipe= &lr= &set=name=value;name=value &search= &name=

import { amend, placeOf, queryName, queryNumber } from "../frame/address.js";

const RECIPES = { one_cycle: "head_only", phases: "head_then_all" };
export const RATES = ["base_lr", "lr_max"];

const read = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

// JSON where it has to be: a text that reads as itself is left bare, as `--set` takes it.
const write = (value) => (typeof value === "string" && read(value) === value ? value : JSON.stringify(value));

function settings(query) {
  const pairs = query.getAll("set").flatMap((text) => text.split(";")).filter((pair) => pair.includes("="));
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")).trim(), read(pair.slice(pair.indexOf("=") + 1).trim())]));
}

export function choice() {
  const { query } = placeOf();
  const recipe = query.get("recipe");
  const lr = query.get("lr");
  return {
    dataset: queryName("dataset"),
    from: queryNumber("from"),
    search: queryNumber("search"),
    preset: RECIPES[recipe] ?? recipe,
    lr: lr === null ? null : read(lr),
    set: settings(query),
    name: query.get("name") ?? "",
  };
}

export const keep = (changes) => amend(changes);

// One setting more, or, where it is what it would be anyway, one less.
export function keepSetting(name, value, usual) {
  const { set } = choice();
  const isUsual = JSON.stringify(value) === JSON.stringify(usual);
  if (isUsual) set.delete(name);
  else set.set(name, value);
  const text = [...set].map(([key, one]) => `${key}=${write(one)}`).join(";");
  const isRate = RATES.includes(name);
  if (isRate) {
    set.delete(name);
    const others = [...set].map(([key, one]) => `${key}=${write(one)}`).join(";");
    keep({ lr: isUsual ? null : write(value), set: others || null });
  } else {
    keep({ set: text || null });
  }
}

// {"augment.flip": false} from {augment: {flip: false}}; lists stay as they are.
export function flat(config, above = "") {
  return Object.entries(config).flatMap(([name, value]) => (value !== null && typeof value === "object" && !Array.isArray(value)
    ? flat(value, `${above}${name}.`) : [[`${above}${name}`, value]]));
}

export function nested(pairs) {
  const config = {};
  for (const [name, value] of pairs) {
    const parts = name.split(".");
    const last = parts.pop();
    let place = config;
    for (const part of parts) place = place[part] ??= {};
    place[last] = value;
  }
  return config;
}
