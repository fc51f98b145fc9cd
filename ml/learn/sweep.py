"""One sweep: a mock training whose rate rises from step to step until the loss diverges (workflow-spec 8)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ml.config import LrSweep
from ml.config_phases import GROUPS
from ml.errors import LossDiverged
from ml.learn.batches import sampled_ahead
from ml.learn.precision import check_scale
from ml.learn.schedule import Hypers, exponential
from ml.learn.smoothing import SmoothLoss
from ml.learn.step import TrainStep
from ml.reading.suggestions import suggest
from ml.reading.sweep_record import Sweep

MOMENTUM = 0.9
"""Constant, and what a model has that has not trained. The workflow's sweep takes whatever momentum the last training
left behind (.95 after a one-cycle); here a sweep is the same before and after one."""

_DIVERGED = 4.0


@dataclass
class Stopper:
    """Says when a smoothed loss is more than 4 times its best so far, counted from the very first step.

    NaN compares as neither more nor less, so that NaN alone never stops: the workflow's own rule.
    """

    enabled: bool = True
    best: float = field(default=math.inf, init=False)

    def diverged(self, smoothed: float) -> bool:
        """Take the next smoothed loss."""
        self.best = min(self.best, smoothed)
        return self.enabled and smoothed > _DIVERGED * self.best


def one_sweep(train_step: TrainStep, sweep: LrSweep, after_step: Callable[[int], None]) -> Sweep:
    """Train on the weights as they stand, at rates start·(end/start)^(i/steps), the same in all groups.

    It ends when the smoothed loss is 4 times its best (where ``stop_early``), and at a loss that is no number: from
    there on there is nothing to see. The workflow's own sweep goes on with NaN to the last step.

    Args:
        train_step: its model is changed, and stays changed; see :func:`ml.learn.restored.restored_state`.
        sweep: rates and steps.
        after_step: called with the number of finished steps.
    """
    optimizer, scaler = train_step.optimizer(), train_step.scaler()
    smooth, stopper = SmoothLoss(), Stopper(enabled=sweep.stop_early)
    lrs: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    train_step.model.train()
    with sampled_ahead(train_step.batches, 0, sweep.steps, train_step.device) as batches:
        for number, batch in enumerate(batches):
            lr = exponential(sweep.start_lr, sweep.end_lr, number / sweep.steps)
            hypers = Hypers(lr=(lr,) * GROUPS, momentum=MOMENTUM)
            try:
                loss = train_step.take(batch, number, optimizer, hypers, scaler).item()
                check_scale(scaler)
            except LossDiverged:
                # In fp16 the gradients can leave its range for good before the loss does: the sweep has seen enough.
                break
            lrs.append(lr)
            losses.append(loss)
            smoothed.append(smooth.update(loss))
            after_step(number + 1)
            if not math.isfinite(loss) or stopper.diverged(smoothed[-1]):
                break
    return Sweep(tuple(lrs), tuple(losses), tuple(smoothed), sweep.steps, suggest(lrs, losses, smoothed, sweep.steps))
