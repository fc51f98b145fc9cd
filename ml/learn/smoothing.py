"""The smoothed training loss (workflow-spec 9.1)."""

from dataclasses import dataclass

import numpy as np

BETA = 0.98


@dataclass
class SmoothLoss:
    """Debiased exponential average in float32, over all steps of a phase, not per epoch."""

    value: float = 0.0
    count: int = 0
    beta: float = BETA

    def update(self, loss: float) -> float:
        """Take one batch's loss and return the debiased average."""
        self.value = float(
            np.float32(self.beta) * np.float32(self.value) + np.float32(1 - self.beta) * np.float32(loss)
        )
        self.count += 1
        return self.debiased

    @property
    def debiased(self) -> float:
        """The average, or NaN before the first step."""
        if self.count == 0:
            return float("nan")
        return float(np.float32(self.value) / np.float32(1 - self.beta**self.count))
