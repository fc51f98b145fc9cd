"""How far confidence and accuracy lie apart, and how much of that is chance."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.judge.scores import Doubles

BINS = 15
_RESAMPLES = 300
_MOST = 20_000
"""Pictures that are looked at: with more, chance has no part in the figure any more."""

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error in bins of equally many pictures (Nixon et al. 2019), between 0 and 1.

    ``low`` to ``high`` is its 95 % interval by the basic bootstrap, which takes off what drawing pictures again adds.
    ``by_chance`` is what a perfectly calibrated model of the same confidences stays below in 95 of 100 cases, with as
    many pictures (Bröcker and Smith 2007): an error up to that is no sign of anything.
    """

    ece: float
    low: float
    high: float
    by_chance: float

    def content(self) -> dict[str, Any]:
        """As JSON, for the record."""
        return {"ece": self.ece, "low": self.low, "high": self.high, "by_chance": self.by_chance}


def calibration_error(confidence: Doubles, hit: Hits) -> CalibrationError | None:
    """Of the first guesses' scores in [0, 1], float64 [n], and whether they were right, bool [n]; None without any."""
    is_number = np.isfinite(confidence)
    confidence, hit = confidence[is_number], hit[is_number]
    # From all of them alike: they may stand in the order of their breeds.
    step = -(-len(confidence) // _MOST) or 1
    confidence, hit = confidence[::step], hit[::step]
    n = len(confidence)
    if not n:
        return None
    order = np.argsort(confidence, kind="stable")
    confidence, hit = confidence[order], hit[order]
    chance = np.random.default_rng(0)
    again = [np.sort(chance.integers(0, n, n)) for _ in range(_RESAMPLES)]
    resampled = [_ece(confidence[rows], hit[rows]) for rows in again]
    perfect = [_ece(confidence, chance.uniform(size=n) < confidence) for _ in range(_RESAMPLES)]
    ece = _ece(confidence, hit)
    low, high = 2 * ece - np.quantile(resampled, (0.975, 0.025))
    return CalibrationError(ece, max(0.0, float(low)), max(0.0, float(high)), float(np.quantile(perfect, 0.95)))


def _ece(confidence: Doubles, hit: Hits) -> float:
    """Of pictures that are sorted by confidence."""
    bins = min(BINS, len(hit))
    starts = np.arange(bins) * len(hit) // bins
    return float(np.abs(np.add.reduceat(confidence - hit, starts)).sum() / len(hit))
