// The versions of models.

import { showDrift } from "./drift.js";
import { productionVersion } from "./served.js";

export const models = {
  title: () => "Models",
  open: async () => showDrift(await productionVersion()),
};
