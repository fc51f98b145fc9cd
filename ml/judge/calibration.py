"""Calibrated scores: the logits are divided by a temperature, so that a score is a frequency.

This is temperature scaling (Guo et al. 2017, "On calibration of modern neural networks"), fitted by the mean negative
log-likelihood of the loss that the model was trained with, which has one minimum. Under binary cross-entropy it is the
same for each breed's own sigmoid: a score is then how often a picture with that score shows that breed. It goes both
ways: a temperature below 1 is for a model that is less certain than it is right.

A weak wish for "as it is", worth about one picture, bounds what a few pictures can say: where all of them are right, no
finite scale is best.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName
from ml.judge.scores import Doubles, scores_from, sigmoid

LEAST_SCALE = 1e-3
_STEPS = 50
_TOLERANCE = 1e-9

Look = Callable[[float], tuple[float, float, float]]
"""From a scale to a value, its slope and its bend."""


@dataclass(frozen=True)
class Calibration:
    """What logits are multiplied by before softmax or sigmoid."""

    scale: float = 1.0

    @property
    def temperature(self) -> float:
        """What logits are divided by."""
        return 1 / self.scale

    def apply(self, loss: LossName, logits: NDArray[np.floating]) -> Doubles:
        """Calibrated scores, float64 [n, classes], of logits [n, classes]."""
        return scores_from(loss, logits * self.scale)


AS_IT_IS = Calibration()


def fit_calibration(loss: LossName, logits: NDArray[np.floating], targets: NDArray[np.int64]) -> Calibration:
    """Fit on finite logits [n, classes] and class ids [n]; without pictures, as it is."""
    if not len(logits):
        return AS_IT_IS
    z = logits.astype(np.float64)
    likelihood = _softmax_likelihood if loss == "cross_entropy" else _sigmoid_likelihood
    return Calibration(_least(likelihood(z, targets), wish=1 / len(z)))


def _softmax_likelihood(z: Doubles, targets: NDArray[np.int64]) -> Look:
    rows = np.arange(len(z))
    z = z - z[rows, targets][:, None]

    def look(scale: float) -> tuple[float, float, float]:
        scaled = z * scale
        top = scaled.max(1, keepdims=True)
        odds = np.exp(scaled - top)
        total = odds.sum(1, keepdims=True)
        odds /= total
        mean = (odds * z).sum(1)
        spread = (odds * z**2).sum(1) - mean**2
        return float((top + np.log(total)).mean()), float(mean.mean()), float(spread.mean())

    return look


def _sigmoid_likelihood(z: Doubles, targets: NDArray[np.int64]) -> Look:
    """The sum over the classes, so that a picture weighs as much as under the other loss."""
    wanted = np.zeros_like(z)
    wanted[np.arange(len(z)), targets] = 1

    def look(scale: float) -> tuple[float, float, float]:
        scaled = z * scale
        share = sigmoid(scaled)
        value = (np.logaddexp(0, scaled) - wanted * scaled).sum(1).mean()
        slope = ((share - wanted) * z).sum(1).mean()
        return float(value), float(slope), float((share * (1 - share) * z**2).sum(1).mean())

    return look


def _least(likelihood: Look, wish: float) -> float:
    """Newton's method, its steps halved where they are too long, on a convex function that is drawn to 1."""

    def look(at: float) -> tuple[float, float, float]:
        value, slope, bend = likelihood(at)
        return value + wish / 2 * (at - 1) ** 2, slope + wish * (at - 1), bend + wish

    at, (value, slope, bend) = 1.0, look(1.0)
    for _ in range(_STEPS):
        step = slope / bend
        while True:
            tried = max(at - step, LEAST_SCALE)
            found = look(tried)
            if found[0] <= value or abs(step) < _TOLERANCE:
                break
            step = step / 2
        moved, at, (value, slope, bend) = abs(tried - at), tried, found
        if moved < _TOLERANCE:
            break
    return at
