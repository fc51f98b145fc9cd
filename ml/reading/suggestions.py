"""Reading a learning rate out of a sweep: four suggestions, each with a reason where it has no answer.

The four functions are the workflow's own (workflow-spec 8.4) in its arithmetic, float32. Above them, :func:`suggest`
refuses what they would answer with a number that means nothing: a sweep of too few points, or one whose loss did not
fall. Imports no torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]

LEAST_POINTS = 16
"""The slide compares points 15 apart, and the valley is cut in three: with fewer points neither says anything."""

SKIPPED_END = 5
"""The last points of a sweep, where the loss explodes, are not looked at."""

LEAST_STEPS = 23
"""The shortest sweep that leaves LEAST_POINTS: 23 - 23 // 10 - 5 = 16."""

LEAST_FALL = 1e-3
"""A loss that falls by a smaller share than this is flat, however little noise there is."""

NOISE_ERRORS = 2.0
"""Standard errors by which the smoothed loss must fall. Of 100 steps of pure noise one sweep in nine does so by chance;
three sweeps that agree on where are one in fifty."""

_SLIDE_STEPS = 15
_SLIDE_CHANGE = 0.005
_NORMAL_SCATTER = 0.954
"""Median absolute difference of two draws of a normal distribution, in its standard deviations: 0.6745·√2."""


class NoSuggestion(ValueError):
    """Says in a sentence why there is no answer."""


@dataclass(frozen=True)
class Suggestions:
    """``rates`` has all four names, None where there is no answer; ``reasons`` has a sentence for each None.

    ``flat`` is true where there is none because the loss did not fall.
    """

    rates: dict[str, float | None]
    reasons: dict[str, str]
    flat: bool = False


def minimum(lrs: Values, losses: Values) -> float:
    """A tenth of the rate at the lowest loss, the first of equals.

    Raises:
        NoSuggestion: there are no points.
    """
    _need(losses, 1)
    return float(lrs[losses.argmin()] / np.float32(10))


def steep(lrs: Values, losses: Values) -> float:
    """The rate where the loss falls most for each e-fold of the rate; the left end of the steepest interval.

    Raises:
        NoSuggestion: there are fewer than two points.
    """
    _need(losses, 2)
    slopes = np.diff(losses) / np.diff(np.log(lrs))
    return float(lrs[slopes.argmin()])


def valley(lrs: Values, losses: Values) -> float:
    """The rate about half-way down the longest descent.

    The descent is the longest strictly falling subsequence. It counts as the stretch of as many points as it has that
    ends where it ends (first of equals), and the answer is one and a half thirds into it. A loss that never falls gives
    the first rate.

    Raises:
        NoSuggestion: there are no points.
    """
    _need(losses, 1)
    lengths = np.ones(len(losses), dtype=np.int64)
    for i in range(1, len(losses)):
        higher = lengths[:i][losses[:i] > losses[i]]
        if higher.size:
            lengths[i] = 1 + higher.max()
    end = int(lengths.argmax())
    start = end - int(lengths[end]) if end else 0
    third = (end - start) / 3
    return float(lrs[start + int(third) + int(third / 2)])


def slide(lrs: Values, losses: Values) -> float:
    """Slide a window of 16 points down from the end until the slopes at its ends agree within 0.005; its left end.

    Raises:
        NoSuggestion: there are fewer than 16 points.
    """
    _need(losses, LEAST_POINTS)
    slopes = np.gradient(losses)
    right, left = -1, -1 - _SLIDE_STEPS
    found = lrs[left]
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > _SLIDE_CHANGE:
        found = lrs[left]
        right, left = right - 1, left - 1
    return float(found)


FUNCTIONS: dict[str, Callable[[Values, Values], float]] = {
    "minimum": minimum,
    "steep": steep,
    "valley": valley,
    "slide": slide,
}

SHOWN_AS = {"minimum": "minimum/10"}
"""For people, where the key is not what is answered: a tenth of the rate at the lowest loss."""


def seen(lrs: Sequence[float], smoothed: Sequence[float], steps: int) -> tuple[Values, Values]:
    """What the suggestions look at: without the first tenth of ``steps`` and the last five, cut at the first NaN.

    Args:
        lrs: of the steps that really ran.
        smoothed: their smoothed losses.
        steps: how many the sweep was to have; one that ended early has fewer.
    """
    part = slice(steps // 10, -SKIPPED_END)
    rates, losses = np.asarray(lrs[part], np.float32), np.asarray(smoothed[part], np.float32)
    broken = np.flatnonzero(np.isnan(losses))
    end = int(broken[0]) if broken.size else len(losses)
    return rates[:end], losses[:end]


def suggest(lrs: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], steps: int) -> Suggestions:
    """All four suggestions of a sweep, or why there are none.

    Args:
        lrs: of the steps that really ran.
        losses: their raw losses, which show how much chance there is in one batch.
        smoothed: their smoothed losses.
        steps: how many the sweep was to have.
    """
    rates, falling = seen(lrs, smoothed, steps)
    short = _too_few(lrs, losses, len(rates), steps)
    reason = short or _flat(rates, falling, losses, steps)
    if reason:
        return Suggestions(dict.fromkeys(FUNCTIONS), dict.fromkeys(FUNCTIONS, reason), flat=not short)
    return Suggestions({name: function(rates, falling) for name, function in FUNCTIONS.items()}, {})


def scatter_of(losses: npt.NDArray[np.float64]) -> float:
    """The standard deviation of one batch's loss, from the steps between neighbours: a slow change is no noise."""
    return float(np.median(np.abs(np.diff(losses)))) / _NORMAL_SCATTER


def _too_few(lrs: Sequence[float], losses: Sequence[float], points: int, steps: int) -> str | None:
    if points >= LEAST_POINTS:
        return None
    left = f"{points} points are left to look at, fewer than {LEAST_POINTS}"
    if not np.isfinite(losses[-1]):
        return f"the loss was no longer a number after {len(lrs)} steps, at learning rate {lrs[-1]:.3g}: {left}"
    if len(lrs) < steps:
        return f"the loss had diverged after {len(lrs)} of {steps} steps, at learning rate {lrs[-1]:.3g}: {left}"
    return f"a sweep of {steps} steps is too short: {left}"


def _flat(rates: Values, smoothed: Values, losses: Sequence[float], steps: int) -> str | None:
    """Why the sweep shows no fall: the smoothed loss's greatest one is not beyond what chance does to an average."""
    fall = float((np.maximum.accumulate(smoothed) - smoothed).max())
    first = steps // 10
    scatter = scatter_of(np.asarray(losses[: first + len(smoothed)], np.float64))
    # The first point seen is an average of ``first + 1`` batches: the least certain of all.
    needed = max(NOISE_ERRORS * scatter / (first + 1) ** 0.5, LEAST_FALL * abs(float(smoothed[0])))
    if fall > needed:
        return None
    span = f"between learning rates {rates[0]:.3g} and {rates[-1]:.3g}"
    return f"the loss fell by no more than {fall:.3g} {span}, and chance alone may do {needed:.3g}"


def _need(losses: Values, points: int) -> None:
    if len(losses) < points:
        raise NoSuggestion(f"there are {len(losses)} points, and at least {points} are needed")
