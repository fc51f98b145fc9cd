"""Which pictures without a label to label next, told from a model's predictions. numpy only."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def margins(scores: Doubles) -> Doubles:
    """How much the first guess is ahead of the second, [n]: small where the model cannot decide.

    Margin sampling: Scheffer, Decomain and Wrobel 2001, "Active Hidden Markov Models for Information Extraction".
    """
    if scores.shape[1] == 1:
        return scores[:, 0]
    second, first = np.partition(scores, -2, axis=1)[:, -2:].T
    return np.asarray(first - second, dtype=np.float64)


def most_uncertain(scores: Doubles, count: int) -> list[int]:
    """Positions of the ``count`` smallest margins, smallest first; ties keep their order."""
    return [int(at) for at in np.argsort(margins(scores), kind="stable")[:count]]


def most_different(points: Doubles, count: int) -> list[int]:
    """Positions of points that lie far from each other: each is the one farthest from all before it.

    The first is the one farthest from the mean.

    Greedy k-center, at most twice as far from the others as the best choice would be (Gonzalez 1985); for choosing
    what to label: Sener and Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach".
    O(n · count · dimensions), in O(n) memory beside the points.

    Args:
        points: features, or probabilities where there are none, [n, dimensions].
        count: how many, at most n.
    """
    if not len(points):
        return []
    nearest = _distances(points, points.mean(0))
    chosen: list[int] = []
    taken = np.zeros(len(points), dtype=bool)
    while len(chosen) < min(count, len(points)):
        place = int(np.where(taken, -1.0, nearest).argmax())
        taken[place] = True
        away = _distances(points, points[place])
        # The mean was no choice: from it nothing has to be far.
        nearest = np.minimum(nearest, away) if chosen else away
        chosen.append(place)
    return chosen


def _distances(points: Doubles, to: Doubles) -> Doubles:
    """Squared, from each point."""
    return np.asarray(((points - to) ** 2).sum(1), dtype=np.float64)
