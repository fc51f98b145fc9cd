"""The schedules, as pure functions of the position in a phase (workflow-spec 7)."""

import math
from dataclasses import dataclass

from ml.config_phases import ResolvedPhase


@dataclass(frozen=True)
class Hypers:
    """What is in force during one step: a learning rate for each group and the momentum of all."""

    lr: tuple[float, ...]
    momentum: float


def cosine(start: float, end: float, position: float) -> float:
    """Half a cosine from ``start`` (position 0) to ``end`` (position 1)."""
    return start + (1 + math.cos(math.pi * (1 - position))) * (end - start) / 2


def cosine_pair(start: float, middle: float, end: float, *, pct_start: float, position: float) -> float:
    """Two cosines that meet in ``middle`` at ``pct_start``."""
    if position < pct_start:
        return cosine(start, middle, position / pct_start)
    return cosine(middle, end, (position - pct_start) / (1 - pct_start))


def position_in_phase(step: int, steps: int) -> float:
    """The share of the phase done before ``step`` (from 0): 0 for the first step, never 1."""
    return step / steps


def one_cycle(phase: ResolvedPhase, position: float) -> Hypers:
    """Rates and momentum of a one-cycle phase at ``position`` in [0, 1)."""
    lr = tuple(
        cosine_pair(top / phase.div, top, top / phase.div_final, pct_start=phase.pct_start, position=position)
        for top in phase.lr_max
    )
    low_start, low, low_end = phase.momentum
    momentum = cosine_pair(low_start, low, low_end, pct_start=phase.pct_start, position=position)
    return Hypers(lr=lr, momentum=momentum)


def hypers_of(phase: ResolvedPhase, steps: int, step: int) -> Hypers:
    """Rates and momentum at a step of a phase."""
    return one_cycle(phase, position_in_phase(step, steps))


def exponential(start: float, end: float, position: float) -> float:
    """Log-linear sweep from ``start`` to ``end``; the rate finder's (workflow-spec 8.1)."""
    return start * math.pow(end / start, position)
