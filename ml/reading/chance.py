"""How far figures of the same validation pictures may lie apart by chance.

Two error rates p and q differ clearly when they are further apart than 2·√(p'(1-p')/n + q'(1-q')/n), with
p' = (errors + 1)/(n + 2). This is two standard errors of the difference of two independent measurements (binomial);
two epochs see the same pictures, so that it is the careful side.

A validation loss differs clearly when it changes by more than max(3 %, 1.6/√n). This is a rule of thumb: the losses of
pictures scatter by about 2.5 times their mean, and those of two epochs of one training hang together by about 95 %,
which makes 1.6/√n two standard errors of the change.
"""

import math
from dataclasses import dataclass

LEAST_LOSS_CHANGE = 0.03
LOSS_SCATTER = 1.6


@dataclass(frozen=True)
class Chance:
    """What chance does to figures of ``n`` > 0 pictures."""

    n: int

    def of_error(self, error: float) -> float:
        """Two standard errors of an error rate, at most 1: in 95 of 100 cases the true one lies no further away."""
        return min(1.0, 2 * math.sqrt(self._variance(error)))

    def of_errors(self, one: float, other: float) -> float:
        """Two standard errors of the difference of two error rates, at most 1."""
        return min(1.0, 2 * math.sqrt(self._variance(one) + self._variance(other)))

    def clearly_worse(self, error: float, than: float) -> bool:
        """Whether an error rate is above another by more than the noise."""
        return error - than > self.of_errors(error, than)

    def clearly_below(self, error: float, known: float) -> bool:
        """Whether an error rate is below one that is known exactly by more than two standard errors."""
        return known - error > self.of_error(error)

    def loss_clearly_above(self, loss: float, best: float) -> bool:
        """Whether a validation loss is above another by more than it scatters; NaN is above everything."""
        return not loss <= best * (1 + self.loss_share)

    @property
    def loss_share(self) -> float:
        """The share of a validation loss by which it may change by chance, at most 1."""
        return min(1.0, max(LEAST_LOSS_CHANGE, LOSS_SCATTER / math.sqrt(self.n)))

    def _variance(self, error: float) -> float:
        share = (error * self.n + 1) / (self.n + 2)
        return share * (1 - share) / self.n
