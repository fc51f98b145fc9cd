"""The steps of a training as columns, with where its phases and epochs lie among them."""

import math
from collections.abc import Sequence
from itertools import pairwise

from api.figures.chart import Axis, Rule
from store.db.models import Batch, Epoch, Run

MOST_POINTS = 2000
"""More points than this a line cannot show."""
BESIDE = 0.015
"""Share of the steps that the axis shows before the first and after the last, so that dots there are whole."""


def step_axis(batches: Sequence[Batch]) -> Axis:
    """From the first step to the last so far, of which there is one; the same in every figure over steps."""
    last = batches[-1].step
    beside = BESIDE * last or 0.5
    return Axis(title="training step", low=-beside, high=last + beside, values="whole")


def phase_rules(run: Run, batches: Sequence[Batch]) -> list[Rule]:
    """Where each phase that has begun starts, with its name; phases count from 1 for people."""
    starts = [(0, batches[0].phase)] if batches else []
    starts += [(before.step + 1, batch.phase) for before, batch in pairwise(batches) if before.phase != batch.phase]
    return [Rule(start, _phase_labels(run, phase)) for start, phase in starts]


def epoch_ends(run: Run, epochs: Sequence[Epoch]) -> list[float]:
    """The last step of each epoch; all epochs of a run have the same number of steps, which its plan knows."""
    lengths = [phase["epochs"] for phase in run.config["phases"]]
    each = (run.plan or {"steps": sum(lengths)})["steps"] / sum(lengths)
    return [(sum(lengths[: row.phase]) + row.epoch + 1) * each - 1 for row in epochs]


def with_gaps(batches: Sequence[Batch], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The steps and their values with a gap between phases."""
    x, y = [float(batch.step) for batch in batches[:1]], list(values[:1])
    for (before, batch), value in zip(pairwise(batches), values[1:], strict=True):
        if before.phase != batch.phase:
            x.append(float(batch.step))
            y.append(math.nan)
        x.append(float(batch.step))
        y.append(value)
    return x, y


def _phase_labels(run: Run, phase: int) -> tuple[str, ...]:
    frozen = "frozen" if run.config["phases"][phase]["freeze"] else "unfrozen"
    return f"phase {phase + 1}, {frozen}", str(phase + 1)
