// The address of the training form with what a run was trained with.

import { addressOf } from "../frame/address.js";
import { ask } from "../frame/service.js";
import { flat } from "../train/choice.js";
import { settingsOf } from "../train/plan.js";

const NOT_SET = new Set(["recipe", "phases", "seed", "added"]);

export async function trainAgain(dataset, run) {
  if (run === null) return addressOf("train", { dataset });
  const before = await ask(`/runs/${run}`);
  const { recipe, ...own } = settingsOf(before);
  const pairs = [...flat(before.config).filter(([name]) => !NOT_SET.has(name.split(".")[0])), ...Object.entries(own)];
  const set = pairs.filter(([, value]) => value !== null).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(";");
  return addressOf("train", { dataset, recipe, set });
}
