// The address of the training form with what a run was trained with.

import { addressOf } from "../frame/address.js";
import { ask } from "../frame/service.js";

const NOT_SET = new Set(["recipe", "phases", "seed"]);

// {"augment.flip": false} from {augment: {flip: false}}; lists stay as they are.
const flat = (config, above = "") => Object.entries(config).flatMap(([name, value]) =>
  (value !== null && typeof value === "object" && !Array.isArray(value) ? flat(value, `${above}${name}.`) : [[`${above}${name}`, value]]));

const rateOf = ({ lr_max: rates, auto }) => (auto ? "auto" : rates[0] === rates.at(-1) ? rates[0] : [rates[0], rates.at(-1)]);

// The recipe's own fields, out of the phases that a run records.
function asked({ recipe, phases }) {
  const last = phases.at(-1);
  if (recipe === "one_cycle") return { freeze: last.freeze, epochs: last.epochs, lr_max: rateOf(last) };
  if (recipe === "phases") return { phases: phases.map((one) => ({ freeze: one.freeze, epochs: one.epochs, lr_max: rateOf(one) })) };
  return { freeze_epochs: phases.length > 1 ? phases[0].epochs : 0, epochs: last.epochs };
}

export async function trainAgain(dataset, run) {
  if (run === null) return addressOf("train", { dataset });
  const { config } = await ask(`/runs/${run}`);
  const pairs = [...flat(config).filter(([name]) => !NOT_SET.has(name.split(".")[0])), ...Object.entries(asked(config))];
  const set = pairs.filter(([, value]) => value !== null).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(";");
  return addressOf("train", { dataset, recipe: config.recipe, set });
}
