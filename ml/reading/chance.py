"""How far figures of the same validation photos may lie apart by chance.

Two error rates p and q differ clearly when they are further apart than 2·√(p'(1-p')/n + q'(1-q')/n), with
p' = (errors + 1)/(n + 2). This is two standard errors of the difference of two independent measurements (binomial);
two epochs see the same pictures, so that it is the careful side.

A validation loss differs clearly when it changes by more than max(3 %, 1.6/√n). This is a rule of thumb: the losses of
pictures scatter by about 2.5 times their mean, and those of two epochs of one training hang together by about 95 %,
which makes 1.6/√n two standard errors of the change.

Of a few pictures two standard errors say little. The exact interval (C. Clopper and E. Pearson, "The use of confidence
or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934) holds for any number of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95
LEAST_LOSS_CHANGE = 0.03
LOSS_SCATTER = 1.6
_ROUNDING = 1e-9


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


def exact_interval(errors: int, n: int) -> tuple[float, float]:
    """Between which error rates the true one lies in at least 95 of 100 cases, where ``errors`` of ``n`` were wrong."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if errors == 0 else _rate_where(lambda rate: at_most(n - errors, n, 1 - rate) < tail)
    high = 1.0 if errors == n else _rate_where(lambda rate: at_most(errors, n, rate) > tail)
    return low, high


def at_most(errors: int, n: int, rate: float) -> float:
    """How likely ``errors`` or fewer of ``n`` are wrong, where each is with the chance ``rate``, in (0, 1)."""
    whole = math.lgamma(n + 1)
    right, wrong = math.log1p(-rate), math.log(rate)
    return math.fsum(
        math.exp(whole - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * wrong + (n - i) * right)
        for i in range(errors + 1)
    )


def _rate_where(is_below: Callable[[float], bool]) -> float:
    """The rate up to which that holds, to a billionth."""
    low, high = 0.0, 1.0
    while high - low > _ROUNDING:
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low
