"""Whether what a model is asked today looks like what it was validated on, by counts of a few figures.

Two histograms are compared by the population stability index, PSI = Σ (p - q) ln(p / q), with half a count added to
each bin. It is 0 where they are equal; below 0.1 people call it the same, from 0.25 on another population (a convention
of credit scoring, where it comes from). Few pictures differ by chance alone: what 99 % of samples of these sizes from
one and the same population stay below is worked out by drawing them, and a PSI below that is no sign of anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["too_few", "alike", "some", "clear"]
Counts = Sequence[int]

LEAST_SEEN: Final = 200
"""Below so many pictures no verdict is given."""
LEAST_REFERENCE: Final = 50
SOME, CLEAR = 0.1, 0.25
_DRAWS = 400
_QUANTILE = 0.99


@dataclass(frozen=True)
class Scale:
    """A figure that is counted in equal steps from ``low`` to ``high``; what lies outside counts in the end steps."""

    says: str
    low: float
    high: float
    steps: int = 16

    def step_of(self, value: float) -> int:
        """The step in which a value lies."""
        return min(self.steps - 1, max(0, int((value - self.low) / (self.high - self.low) * self.steps)))

    def mean(self, counts: Counts) -> float | None:
        """The mean of what was counted, as far as the steps tell it; None of nothing."""
        total = sum(counts)
        width = (self.high - self.low) / self.steps
        return self.low + width * sum(n * (step + 0.5) for step, n in enumerate(counts)) / total if total else None


SCALES: Final = {
    "probability": Scale("the first breed's own probability", 0.0, 1.0, 20),
    "brightness": Scale("brightness, 0 black to 255 white", 0.0, 256.0),
    "contrast": Scale("contrast, the spread of brightness", 0.0, 128.0),
    "sharpness": Scale("sharpness, log2 of the spread of the Laplacian", 0.0, 8.0),
    "aspect": Scale("width over height, log2", -2.0, 2.0),
    "pixels": Scale("pixels, log2", 10.0, 26.0),
}
"""What is counted in steps; beside them ``breeds``, by the model's vocabulary, and ``kind``, of files."""


@dataclass(frozen=True)
class Drift:
    """One figure's comparison. ``psi`` and ``by_chance`` are None where too few were seen."""

    seen: int
    reference: int
    psi: float | None
    by_chance: float | None
    verdict: Verdict


def compare(seen: Counts, reference: Counts) -> Drift:
    """How far what was seen lies from the reference."""
    n, m = sum(seen), sum(reference)
    if n < LEAST_SEEN or m < LEAST_REFERENCE:
        return Drift(n, m, None, None, "too_few")
    ours, theirs = np.asarray(seen, np.float64), np.asarray(reference, np.float64)
    found = float(psi(ours, theirs))
    chance = by_chance(ours, theirs)
    return Drift(n, m, found, chance, _verdict(found, chance))


def psi(seen: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """The index along the last axis."""
    p, q = _shares(seen), _shares(reference)
    index: NDArray[np.float64] = ((p - q) * np.log(p / q)).sum(-1)
    return index


def by_chance(seen: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """What 99 % of pairs of such samples from one population, that of both together, stay below."""
    both = seen + reference
    chances = both / both.sum()
    # The same numbers for the same counts: a figure that is asked for twice does not waver.
    rng = np.random.default_rng(0)
    one = rng.multinomial(int(seen.sum()), chances, size=_DRAWS).astype(np.float64)
    other = rng.multinomial(int(reference.sum()), chances, size=_DRAWS).astype(np.float64)
    return float(np.quantile(psi(one, other), _QUANTILE))


def aspect_of(width: int, height: int) -> float:
    """As ``SCALES`` counts it."""
    return log2(width / height)


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = counts + 0.5
    shares: NDArray[np.float64] = padded / padded.sum(-1, keepdims=True)
    return shares


def _verdict(found: float, chance: float) -> Verdict:
    if found < SOME or found <= chance:
        return "alike"
    return "some" if found < CLEAR else "clear"
