"""Calibrated scores: the logits are divided by a temperature, so that a score is a frequency.

Under cross-entropy this is temperature scaling (Guo et al. 2017, "On calibration of modern neural networks"), fitted
by the mean negative log-likelihood. Under binary cross-entropy each breed has a sigmoid of its own, and the loss over
all of them is ruled by the many breeds that a picture does not show: what makes it least leaves the first guess far
from its frequency. There the first guess alone is fitted, whether it is right, by a temperature and a bias that all
breeds share, so that their order stays (Platt 1999, "Probabilistic outputs for support vector machines"). Both go both
ways: a temperature below 1 is for a model that is less certain than it is right.

A weak wish for "as it is", worth about one picture, bounds what a few pictures can say: where all of them are right, no
finite scale is best. With it either function has one minimum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName
from ml.judge.scores import Doubles, scores_from, sigmoid

LEAST_SCALE = 1e-3
_STEPS = 100
_TOLERANCE = 1e-9

Look = Callable[[Doubles], tuple[float, Doubles, Doubles]]
"""From parameters [p] to a value, its gradient [p] and its Hessian [p, p]."""


@dataclass(frozen=True)
class Calibration:
    """Logits are multiplied by ``scale`` and have ``bias`` added, before softmax (which does not see it) or sigmoid."""

    scale: float = 1.0
    bias: float = 0.0

    @property
    def temperature(self) -> float:
        """What logits are divided by."""
        return 1 / self.scale

    def apply(self, loss: LossName, logits: NDArray[np.floating]) -> Doubles:
        """Calibrated scores, float64 [n, classes], of logits [n, classes]."""
        return scores_from(loss, logits * self.scale + self.bias)


AS_IT_IS = Calibration()


def fit_calibration(loss: LossName, logits: NDArray[np.floating], targets: NDArray[np.int64]) -> Calibration:
    """Fit on finite logits [n, classes] and class ids [n]; without pictures, as it is."""
    if not len(logits):
        return AS_IT_IS
    z, wish = logits.astype(np.float64), 1 / len(logits)
    if loss == "cross_entropy":
        return Calibration(*_least(_softmax_likelihood(z, targets), np.array([1.0]), wish))
    return Calibration(*_least(_first_guess_likelihood(z, targets), np.array([1.0, 0.0]), wish))


def _softmax_likelihood(z: Doubles, targets: NDArray[np.int64]) -> Look:
    """Of the true breed, by the scale."""
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
        return float((top + np.log(total)).mean()), mean.mean(keepdims=True), spread.mean().reshape(1, 1)

    return look


def _first_guess_likelihood(z: Doubles, targets: NDArray[np.int64]) -> Look:
    """Of whether the first guess is right, by the scale and the bias."""
    right = (z.argmax(1) == targets).astype(np.float64)
    terms = np.stack([z.max(1), np.ones(len(z))], 1)

    def look(at: Doubles) -> tuple[float, Doubles, Doubles]:
        scaled = terms @ at
        share = sigmoid(scaled)
        value = float((np.logaddexp(0, scaled) - right * scaled).mean())
        return value, terms.T @ (share - right) / len(z), (terms.T * (share * (1 - share))) @ terms / len(z)

    return look


def _least(likelihood: Look, as_it_is: Doubles, wish: float) -> tuple[float, ...]:
    """Newton's method, its steps halved where they are too long, on a convex function that is drawn to ``as_it_is``.

    The first parameter is the scale, which stays positive; at its bound the others go on alone.
    """

    def look(at: Doubles) -> tuple[float, Doubles, Doubles]:
        value, slope, bend = likelihood(at)
        off = at - as_it_is
        return value + wish / 2 * float(off @ off), slope + wish * off, bend + wish * np.eye(len(at))

    at, (value, slope, bend) = as_it_is, look(as_it_is)
    for _ in range(_STEPS):
        step = _newton_step(slope, bend, bound=bool(at[0] <= LEAST_SCALE and slope[0] > 0))
        while True:
            tried = at - step
            tried[0] = max(tried[0], LEAST_SCALE)
            found = look(tried)
            if found[0] <= value or np.abs(step).max() < _TOLERANCE:
                break
            step = step / 2
        moved, at, (value, slope, bend) = float(np.abs(tried - at).max()), tried, found
        if moved < _TOLERANCE:
            break
    return tuple(at.tolist())


def _newton_step(slope: Doubles, bend: Doubles, *, bound: bool) -> Doubles:
    """What to take away; nothing of the first parameter where it is bound."""
    step, first = np.zeros_like(slope), int(bound)
    if len(slope) > first:
        step[first:] = np.linalg.solve(bend[first:, first:], slope[first:])
    return step
