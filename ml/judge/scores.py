"""From logits to scores, as in ``ml.learn.losses`` but without torch."""

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName

Doubles = NDArray[np.float64]


def scores_from(loss: LossName, logits: NDArray[np.floating]) -> Doubles:
    """Scores in [0, 1], float64 of the shape [n, classes] of the logits: they sum to 1 only under cross-entropy."""
    z = logits.astype(np.float64)
    if loss != "cross_entropy":
        return sigmoid(z)
    with np.errstate(invalid="ignore"):  # what is no number stays none
        odds = np.exp(z - z.max(1, keepdims=True))
    found: Doubles = odds / odds.sum(1, keepdims=True)
    return found


def sigmoid(z: Doubles) -> Doubles:
    """1 / (1 + exp(-z)), which does not overflow."""
    below = np.exp(-np.abs(z))
    found: Doubles = np.where(z >= 0, 1.0, below) / (1 + below)
    return found
