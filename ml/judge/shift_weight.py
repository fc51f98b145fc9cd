"""How much the scatter of blur and noise counts: each run chooses by how many of its own poor pictures are refused.

A larger weight keeps more blurred and noisy pets known, and lets more of the unknown pass. How large it must be differs
from run to run, so that the smallest one is taken that keeps the share of poor pictures refused within what is wanted.
What measures familiarity is fitted on pictures of the training side; the choice is made on the validation side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ml.judge.familiarity import SHIFT_WEIGHT, Familiarity, KnownPictures, fit_familiarity
from ml.judge.folds import Rows, folds
from ml.judge.scores import Doubles
from ml.judge.sets import least_probability

POOR_REFUSED = 0.1
"""The share of blurred, and of noisy, known pictures that may be refused by mistake."""
WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FEWEST = 50
"""Poor pictures from which on their share is worth choosing by."""
_NEAR = 0.01
"""Where no weight is enough, a larger one is taken only if it brings at least this share."""

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Choice = Literal["reached", "out_of_reach", "too_few"]


@dataclass(frozen=True)
class PoorPictures:
    """What the network makes of validation pictures as a poor camera would have taken them.

    Attributes:
        rows: which pictures of the validation side they are, [m].
        features: blurred, then noisy, float32 [2, m, features].
    """

    rows: Rows
    features: Floats

    def among(self, rows: Rows) -> "PoorPictures":
        """Those of the given rows of the validation side, which rise; each is then counted among these alone."""
        kept = np.isin(self.rows, rows)
        return PoorPictures(np.searchsorted(rows, self.rows[kept]), self.features[:, kept])


@dataclass(frozen=True)
class ShiftWeight:
    """The weight of the scatter that blur and noise bring, and how it was come to.

    Attributes:
        weight: in parts of the scatter within the breeds.
        choice: whether it keeps to what is wanted, none does, or there are too few pictures to choose by.
        wanted: the share of poor pictures that may be refused.
        pictures: how many were looked at, of each kind.
        blurred: the share of them refused, cross-fitted: a picture gave nothing to the weight and the threshold that it
            is measured with. None where there are too few.
        noisy: the same.
    """

    weight: float
    choice: Choice
    wanted: float
    pictures: int
    blurred: float | None = None
    noisy: float | None = None

    def content(self) -> dict[str, Any]:
        """As JSON, for the record and the file."""
        return asdict(self)

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> Self:
        """From what was stored; raises KeyError where something is missing."""
        names = ("weight", "choice", "wanted", "pictures", "blurred", "noisy")
        return cls(**{name: content[name] for name in names})


@dataclass(frozen=True)
class WeightedFamiliarity:
    """A weight, and what is measured with it of the validation side, [n], and of its poor pictures, [2, m]."""

    weight: float
    familiarity: Familiarity
    valid: Doubles
    poor: Doubles

    def refusals(self, side: Mask, refused: float) -> Mask:
        """Which poor pictures, [2, m], are refused where that share of a part of the validation side is."""
        own = self.valid[side]
        least = least_probability(np.sort(own[np.isfinite(own)]), 1 - refused)
        # What is no number is refused too.
        return ~(self.poor >= least)


def fit_weighted(
    known: KnownPictures, breeds: int, valid: Floats, poor: PoorPictures | None, refused: float
) -> tuple[WeightedFamiliarity, ShiftWeight] | None:
    """The smallest weight that keeps to ``POOR_REFUSED``; None without any known picture whose features are numbers.

    Args:
        known: pictures that the network learned from.
        breeds: how many it knows.
        valid: features of the validation side, [n, features].
        poor: of some of its pictures; None: there are none.
        refused: the share of the validation side that may be refused.
    """
    poor = poor or PoorPictures(np.empty(0, np.int64), np.empty((2, 0, valid.shape[1]), np.float32))
    if len(poor.rows) < FEWEST:
        found = next(_tries(known, breeds, valid, poor, [SHIFT_WEIGHT]), None)
        few = ShiftWeight(SHIFT_WEIGHT, "too_few", POOR_REFUSED, len(poor.rows))
        return None if found is None else (found, few)
    sides = [_mask(others, len(valid)) for others, _ in folds(len(valid))]
    whole = np.ones(len(valid), dtype=np.bool_)
    tried: list[WeightedFamiliarity] = []
    for one in _tries(known, breeds, valid, poor, WEIGHTS):
        tried.append(one)
        if all(within(tried, side, poor.rows, refused) for side in (whole, *sides)):
            break
    if not tried:
        return None
    best = within(tried, whole, poor.rows, refused)
    crossed = np.empty(poor.features.shape[:2], dtype=np.bool_)
    for side in sides:
        own = ~side[poor.rows]
        crossed[:, own] = smallest(tried, side, poor.rows, refused).refusals(side, refused)[:, own]
    blurred, noisy = crossed.mean(1).tolist()
    choice: Choice = "out_of_reach" if best is None else "reached"
    best = best or smallest(tried, whole, poor.rows, refused)
    return best, ShiftWeight(best.weight, choice, POOR_REFUSED, len(poor.rows), blurred, noisy)


def within(tried: Sequence[WeightedFamiliarity], side: Mask, rows: Rows, refused: float) -> WeightedFamiliarity | None:
    """The smallest weight that refuses no more than ``POOR_REFUSED`` of either kind, as a part of the pictures says."""
    return next((one for one in tried if _worst(one, side, rows, refused) <= POOR_REFUSED), None)


def smallest(tried: Sequence[WeightedFamiliarity], side: Mask, rows: Rows, refused: float) -> WeightedFamiliarity:
    """The same; where there is none, the smallest weight that refuses hardly more than the best does."""
    found = within(tried, side, rows, refused)
    if found is not None:
        return found
    worst = [_worst(one, side, rows, refused) for one in tried]
    return next(one for one, share in zip(tried, worst, strict=True) if share <= min(worst) + _NEAR)


def _worst(one: WeightedFamiliarity, side: Mask, rows: Rows, refused: float) -> float:
    """The larger of the shares of blurred and noisy pictures refused, of those that are in a part."""
    return float(one.refusals(side, refused)[:, side[rows]].mean(1).max())


def _tries(
    known: KnownPictures, breeds: int, valid: Floats, poor: PoorPictures, weights: Sequence[float]
) -> Iterator[WeightedFamiliarity]:
    for weight in weights:
        familiarity = fit_familiarity(known, breeds, weight)
        if familiarity is None:
            return
        measured = np.stack([familiarity.measure(kind) for kind in poor.features])
        yield WeightedFamiliarity(weight, familiarity, familiarity.measure(valid), measured)


def _mask(rows: Rows, count: int) -> Mask:
    found = np.zeros(count, dtype=np.bool_)
    found[rows] = True
    return found
