"""How much a picture looks like what the model has learned: measured on what the network puts out."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName
from ml.judge.scores import Doubles


@dataclass(frozen=True)
class Familiarity:
    """The energy score of Liu et al. 2020."""

    scale: Doubles

    def measure(self, logits: NDArray[np.floating], features: NDArray[np.floating]) -> Doubles:
        """Of each picture, float64 [n]: the larger the more familiar."""
        z = logits.astype(np.float64)
        top = z.max(1)
        found: Doubles = top + np.log(np.exp(z - top[:, None]).sum(1))
        return found

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What is stored."""
        return {"scale": self.scale}

    @classmethod
    def of_tensors(cls, tensors: dict[str, NDArray[np.generic]]) -> Self:
        """From what was stored; raises KeyError where something is missing."""
        return cls(tensors["scale"].astype(np.float64))


def fit_familiarity(
    loss: LossName, logits: NDArray[np.floating], features: NDArray[np.floating], targets: NDArray[np.int64]
) -> Familiarity:
    """Fit on known pictures."""
    return Familiarity(np.ones(1))
