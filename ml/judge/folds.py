"""Cross-fitting: what is measured on a picture comes from the others."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
MOST_OF_FEW = 10
"""Folds of a few pictures, of which each is missed where it is left out."""

Rows = NDArray[np.int64]


def folds(count: int) -> Iterator[tuple[Rows, Rows]]:
    """(the others, the fold's own) rows of each fold, in a drawn order that is always the same.

    A single picture has no others: it is then the one fold's own.
    """
    order = np.random.default_rng(0).permutation(count)
    for number in range(min(FOLDS, count)):
        own = order[number::FOLDS]
        yield np.setdiff1d(order, own), own


def folds_of_few(targets: Sequence[int], groups: Sequence[int]) -> Rows:
    """The fold of each of a few pictures, [n], from 0: each breed's are spread evenly, and a group stays together.

    Args:
        targets: class ids, [n].
        groups: pictures of one shot have the same number, [n].
    """
    fold_of: dict[int, int] = {}
    begun: Counter[int] = Counter()
    for breed, group in zip(targets, groups, strict=True):
        if group not in fold_of:
            fold_of[group] = begun[breed] % MOST_OF_FEW
            begun[breed] += 1
    return np.array([fold_of[group] for group in groups], dtype=np.int64)
