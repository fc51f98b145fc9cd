// Few photos: a batch that holds more than there are to learn from cannot be, and a smaller one is offered in its place.

import { nearArch } from "./near.js";

const LEAST_BATCHES = 4;

// What is planned, with a network and a batch that can be; `photos` of the dataset that is chosen, null where not known.
export const fitted = (planned, archs, photos) => fitBatch(nearArch(planned, archs), photos);

function fitBatch(planned, photos) {
  const { usual, values, chosen, sent } = planned;
  const learned = Math.floor((photos ?? 0) * (1 - (values.valid_pct ?? 0)));
  if (photos === null || !usual.batch_size || usual.batch_size <= learned) return planned;
  const fitting = 2 ** Math.max(1, Math.floor(Math.log2(Math.max(1, learned / LEAST_BATCHES))));
  const own = chosen.set.has("batch_size") ? {} : { batch_size: fitting };
  return { ...planned, usual: { ...usual, batch_size: fitting }, values: { ...values, ...own }, sent: [...sent, ["batch_size", fitting]] };
}
