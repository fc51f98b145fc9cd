"""Cross-fitting: what is measured on a picture comes from the others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FOLDS = 5

Rows = NDArray[np.int64]


def folds(count: int) -> Iterator[tuple[Rows, Rows]]:
    """(the others, the fold's own) rows of each fold, in a drawn order that is always the same.

    A single picture has no others: it is then the one fold's own.
    """
    order = np.random.default_rng(0).permutation(count)
    for number in range(min(FOLDS, count)):
        own = order[number::FOLDS]
        yield np.setdiff1d(order, own), own
