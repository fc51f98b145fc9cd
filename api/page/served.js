// The model that answers.

import { byId, drawnTag } from "/parts.js";
import { ask } from "/service.js";

export async function showServed() {
  const { items } = await ask("/models?limit=200");
  const model = items.find((one) => one.aliases.includes("production"));
  byId("served").replaceChildren(model
    ? `In production: version ${model.version}, ${model.arch} trained on ${model.dataset} `
    : "No model in production yet.", drawnTag(model?.drawn));
}
