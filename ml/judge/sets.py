"""Sets of breeds that hold the true one in a stated share of cases: split conformal prediction.

The score is the true breed's own probability (LAC: Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued
classifiers with bounded error levels"), which gives the smallest sets of all on average. The rank of its quantile is
that of Vovk, Gammerman and Shafer 2005, as in section 1 of Angelopoulos and Bates 2021, "A gentle introduction to
conformal prediction". On pictures like those it was fitted on the coverage holds whatever the model is, up to the
chance of which pictures they were. A set can be empty: where the coverage is below the share that the model gets right,
its most doubtful pictures are given up.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.judge.scores import Doubles

LEAST_COVERAGE, MOST_COVERAGE = 0.5, 0.999
_ROUNDING = 1e-9
"""So that 20 pictures less 95 % are one, in floating point too."""


@dataclass(frozen=True)
class Coverage:
    """What a stated coverage was measured to be, on pictures that nothing was fitted on; ``mean_size`` in breeds."""

    asked: float
    found: float
    mean_size: float

    def content(self) -> dict[str, Any]:
        """As JSON, for the record."""
        return {"asked": self.asked, "found": self.found, "mean_size": self.mean_size}


def least_probability(of_truth: Doubles, coverage: float) -> float:
    """The probability from which on a breed belongs to the set; -inf where there are too few pictures to say.

    Args:
        of_truth: the true breed's probability in each picture of the validation side, sorted from the least.
        coverage: in (0, 1).
    """
    rank = math.floor((1 - coverage) * (len(of_truth) + 1) + _ROUNDING)
    return float(of_truth[rank - 1]) if rank >= 1 else -math.inf


def pictures_for(coverage: float) -> int:
    """How many pictures the least probability of this coverage takes."""
    return math.ceil(1 / (1 - coverage) - _ROUNDING) - 1


def breeds_in(probabilities: Doubles, least: float) -> list[int]:
    """The classes of the set, the likeliest first; all of them where a probability is no number."""
    order = np.argsort(-probabilities, kind="stable")
    return [int(index) for index in order if not probabilities[index] < least]
