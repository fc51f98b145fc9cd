"""Reading stored predictions: confusion, per-class scores, top losses. numpy only; no inference happens here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Z95 = 1.959963984540054
"""The standard normal's 97.5 % point."""


@dataclass(frozen=True)
class Reading:
    """What a model's predictions say.

    ``matrix`` counts, rows actual, columns predicted. ``items`` has one row a picture with ``item`` (index in the
    manifest), ``path``, ``actual``, ``predicted``, ``loss``, ``probability_predicted``, ``probability_actual``; on
    another dataset than the model's own, and where the model goes back to other runs, also ``trained_on``: whether it
    was trained on this very picture, now or in one of those runs; where it is known, also ``calibrated_predicted``, the
    calibrated probability of ``predicted``, to which the picture itself gave nothing.
    """

    vocab: list[str]
    matrix: list[list[int]]
    items: list[dict[str, Any]]
    valid_loss: float
    error_rate: float
    tta: bool = False


@dataclass(frozen=True)
class Confused:
    """How often one breed was taken for another."""

    actual: str
    predicted: str
    count: int


@dataclass(frozen=True)
class ClassScore:
    """One breed's scores; a ratio with nothing below the line is None."""

    breed: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Bin:
    """Pictures whose first guess had a confidence in [low, high); the last bin has its upper edge too.

    ``confidence`` and ``accuracy`` are means in [0, 1], ``accuracy_low`` to ``accuracy_high`` is the 95 % Wilson
    interval of the accuracy; all four are None where the bin is empty.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None


@dataclass(frozen=True)
class Reliability:
    """How often the first guess is right where the model says that it is sure.

    ``ece`` is the expected calibration error: the mean over the pictures of |accuracy - confidence| of their bin.
    """

    bins: list[Bin]
    ece: float
    n: int


def read_predictions(
    scores: NDArray[np.float64],
    losses: NDArray[np.float64],
    targets: NDArray[np.int64],
    *,
    vocab: Sequence[str],
    items: Sequence[int],
    paths: Sequence[str],
    trained_on: Sequence[bool] | None = None,
    calibrated: NDArray[np.float64] | None = None,
    tta: bool = False,
) -> Reading:
    """Turn scores in [0, 1] [n, classes], losses [n] and targets [n] into a reading; ties go to the first class."""
    predicted = scores.argmax(1)
    rows: list[dict[str, Any]] = [
        {
            "item": int(item),
            "path": path,
            "actual": vocab[actual],
            "predicted": vocab[guess],
            "loss": float(loss),
            "probability_predicted": float(row[guess]),
            "probability_actual": float(row[actual]),
        }
        for item, path, actual, guess, loss, row in zip(items, paths, targets, predicted, losses, scores, strict=True)
    ]
    if trained_on is not None:
        rows = [{**row, "trained_on": bool(known)} for row, known in zip(rows, trained_on, strict=True)]
    if calibrated is not None:
        certain = calibrated[np.arange(len(predicted)), predicted]
        rows = [{**row, "calibrated_predicted": float(one)} for row, one in zip(rows, certain, strict=True)]
    return Reading(
        vocab=list(vocab),
        matrix=confusion_matrix(targets, predicted, len(vocab)).tolist(),
        items=rows,
        valid_loss=float(losses.mean()),
        error_rate=float((predicted != targets).mean()),
        tta=tta,
    )


def confusion_matrix(actual: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts [classes, classes], rows actual, columns predicted."""
    flat = np.bincount(actual * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes)


def most_confused(matrix: Sequence[Sequence[int]], vocab: Sequence[str], min_val: int = 1) -> list[Confused]:
    """Off-diagonal cells of at least ``min_val``, most first; ties stay in the vocabulary's order."""
    found = [
        Confused(actual, predicted, count)
        for actual, row in zip(vocab, matrix, strict=True)
        for predicted, count in zip(vocab, row, strict=True)
        if actual != predicted and count >= min_val and count > 0
    ]
    return sorted(found, key=lambda cell: -cell.count)


def per_class(matrix: Sequence[Sequence[int]], vocab: Sequence[str]) -> list[ClassScore]:
    """Precision, recall and F1 of each breed, in the vocabulary's order."""
    counts = np.asarray(matrix, dtype=np.int64).reshape(len(vocab), len(vocab))
    hits, support, guessed = counts.diagonal(), counts.sum(1), counts.sum(0)
    return [
        ClassScore(
            breed=breed,
            support=int(support[i]),
            precision=_ratio(hits[i], guessed[i]),
            recall=_ratio(hits[i], support[i]),
            f1=_ratio(2 * hits[i], support[i] + guessed[i]),
        )
        for i, breed in enumerate(vocab)
    ]


def macro_error(matrix: Sequence[Sequence[int]]) -> float | None:
    """The mean of the breeds' error rates, each breed counting alike; None where there are no pictures at all."""
    counts = np.asarray(matrix, dtype=np.int64).reshape(len(matrix), len(matrix))
    support = counts.sum(1)
    there = support > 0
    return float(1 - (counts.diagonal()[there] / support[there]).mean()) if there.any() else None


def reliability(confidence: NDArray[np.float64], hit: NDArray[np.bool_], bins: int = 10) -> Reliability:
    """Compare confidence with accuracy in bins of equal width (Guo et al. 2017, equations 2 to 5).

    Args:
        confidence: the first guess's score in [0, 1], float64 [n].
        hit: whether the first guess was right, bool [n].
        bins: how many.

    Raises:
        ValueError: there are no pictures, no bins, or a confidence outside [0, 1].
    """
    if bins < 1 or not len(confidence) or not ((confidence >= 0) & (confidence <= 1)).all():
        message = f"{len(confidence)} confidences in {bins} bins: there must be some of each, all in [0, 1]"
        raise ValueError(message)
    edges = np.arange(bins + 1) / bins
    place = np.searchsorted(edges[1:-1], confidence, side="right")
    filled = [_bin(float(edges[i]), float(edges[i + 1]), confidence[place == i], hit[place == i]) for i in range(bins)]
    gaps = sum(
        abs(one.accuracy - one.confidence) * one.n
        for one in filled
        if one.accuracy is not None and one.confidence is not None
    )
    return Reliability(filled, gaps / len(confidence), len(confidence))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``hits`` in ``n`` > 0 (Wilson 1927), within [0, 1]."""
    share = hits / n
    spread = _Z95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z95 / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _bin(low: float, high: float, confidence: NDArray[np.float64], hit: NDArray[np.bool_]) -> Bin:
    n = len(hit)
    if n == 0:
        return Bin(low, high, 0, None, None, None, None)
    hits = int(hit.sum())
    return Bin(low, high, n, float(confidence.mean()), hits / n, *wilson(hits, n))


def _ratio(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
