"""Calibrated scores: the logits are scaled, and under the sigmoid loss shifted, so that a score is a frequency.

Under cross-entropy the scale is one over the temperature of Guo et al. 2017, "On calibration of modern neural
networks"; under binary cross-entropy scale and shift are those of Platt 1999, common to all breeds. Both are fitted by
their mean negative log-likelihood, which has one minimum. It goes both ways: a scale above 1 is for a model that is
less certain than it is right.

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

Look = Callable[[Doubles], tuple[float, Doubles, Doubles]]
"""From parameters [k] to a value, its gradient [k] and its second derivatives [k,k]."""


@dataclass(frozen=True)
class Calibration:
    """What is done to logits before softmax or sigmoid: ``scale * logits + shift``."""

    scale: float = 1.0
    shift: float = 0.0

    @property
    def temperature(self) -> float:
        """What logits are divided by."""
        return 1 / self.scale

    def apply(self, loss: LossName, logits: NDArray[np.floating]) -> Doubles:
        """Calibrated scores, float64 [n, classes], of logits [n, classes]."""
        return scores_from(loss, logits * self.scale + self.shift)


AS_IT_IS = Calibration()


def fit_calibration(loss: LossName, logits: NDArray[np.floating], targets: NDArray[np.int64]) -> Calibration:
    """Fit on finite logits [n, classes] and class ids [n]; without pictures, as it is."""
    if not len(logits):
        return AS_IT_IS
    z = logits.astype(np.float64)
    wish = 1 / len(z)
    if loss == "cross_entropy":
        (scale,) = _least(_softmax_likelihood(z, targets), np.ones(1), wish)
        return Calibration(float(scale))
    scale, shift = _least(_sigmoid_likelihood(z, targets), np.array([1.0, 0.0]), wish)
    return Calibration(float(scale), float(shift))


def _softmax_likelihood(z: Doubles, targets: NDArray[np.int64]) -> Look:
    rows = np.arange(len(z))
    z = z - z[rows, targets][:, None]

    def look(at: Doubles) -> tuple[float, Doubles, Doubles]:
        scaled = z * at[0]
        top = scaled.max(1, keepdims=True)
        odds = np.exp(scaled - top)
        total = odds.sum(1, keepdims=True)
        odds /= total
        mean = (odds * z).sum(1)
        spread = (odds * z**2).sum(1) - mean**2
        value = float((top + np.log(total)).mean())
        return value, np.array([mean.mean()]), np.array([[spread.mean()]])

    return look


def _sigmoid_likelihood(z: Doubles, targets: NDArray[np.int64]) -> Look:
    """The sum over the classes, so that a picture weighs as much as under the other loss."""
    wanted = np.zeros_like(z)
    wanted[np.arange(len(z)), targets] = 1

    def look(at: Doubles) -> tuple[float, Doubles, Doubles]:
        scaled = z * at[0] + at[1]
        off = sigmoid(scaled) - wanted
        value = (np.logaddexp(0, scaled) - wanted * scaled).sum(1).mean()
        bend = (off + wanted) * (1 - off - wanted) / len(z)
        cross = (bend * z).sum()
        second = np.array([[(bend * z**2).sum(), cross], [cross, bend.sum()]])
        return float(value), np.array([(off * z).sum(), off.sum()]) / len(z), second

    return look


def _least(likelihood: Look, start: Doubles, wish: float) -> Doubles:
    """Newton's method, its steps halved where they are too long, on a convex function that is drawn to ``start``.

    The first parameter stays positive.
    """

    def look(at: Doubles) -> tuple[float, Doubles, Doubles]:
        value, slope, bend = likelihood(at)
        off = at - start
        return value + wish / 2 * float(off @ off), slope + wish * off, bend + wish * np.eye(len(at))

    at, (value, slope, bend) = start, look(start)
    for _ in range(_STEPS):
        step = np.linalg.solve(bend, slope)
        while True:
            tried = at - step
            tried[0] = max(tried[0], LEAST_SCALE)
            found = look(tried)
            if found[0] <= value or np.abs(step).max() < _TOLERANCE:
                break
            step = step / 2
        at, moved = tried, np.abs(tried - at).max()
        value, slope, bend = found
        if moved < _TOLERANCE:
            break
    return at
