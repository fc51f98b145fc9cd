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
  const isRate = RATES.includes(name);
  if (isRate) {
    set.delete(name);
    keep({ lr: isUsual ? null : write(value), set: textOf([...set]) });
  } else {
    keep({ set: textOf([...set]) });
  }
}

const textOf = (pairs) => pairs.map(([name, value]) => `${name}=${write(value)}`).join(";") || null;

// Another recipe: all that was set stays but what is a recipe's `own`.
export function keepRecipe(recipe, own) {
  const others = [...choice().set].filter(([name]) => !own.includes(name));
  keep({ recipe, lr: null, set: textOf(others) });
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
