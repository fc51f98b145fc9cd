// One look at the service at a time. A look that is begun takes the place of the one under way: where that took longer than
// the time between two, nothing would ever be shown, and a busy service be asked ever more.

// So long a look may take before the next one begins all the same; twice as long each time that it took longer.
export const PATIENCE_MS = 30000;

let underWay = null;
let patience = PATIENCE_MS;

const isOf = (visit) => underWay !== null && underWay.visit === visit;

// Whether a look of this visit of a view is to be waited for.
export const isLooking = (visit) => isOf(visit) && performance.now() - underWay.since < patience;

// Until `work` has ended it is the look of this visit; `act` is called then, unless another one has begun.
export async function look(visit, work, act) {
  const own = { visit, since: performance.now() };
  if (!isOf(visit)) patience = PATIENCE_MS;
  else if (!isLooking(visit)) patience *= 2;
  underWay = own;
  try {
    return await work;
  } finally {
    if (underWay === own) {
      underWay = null;
      patience = PATIENCE_MS;
      act();
    }
  }
}
