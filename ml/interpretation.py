"""Reading stored predictions: confusion, per-class scores, top losses. numpy only; no inference happens here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Reading:
    """What the validation predictions say.

    ``matrix`` counts, rows actual, columns predicted. ``items`` has one row a validation picture with ``item`` (index
    in the manifest), ``path``, ``actual``, ``predicted``, ``loss``, ``probability_predicted``, ``probability_actual``.
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


def read_predictions(
    scores: NDArray[np.float64],
    losses: NDArray[np.float64],
    targets: NDArray[np.int64],
    *,
    vocab: Sequence[str],
    items: Sequence[int],
    paths: Sequence[str],
    tta: bool = False,
) -> Reading:
    """Turn scores in [0, 1] [n, classes], losses [n] and targets [n] into a reading; ties go to the first class."""
    predicted = scores.argmax(1)
    return Reading(
        vocab=list(vocab),
        matrix=confusion_matrix(targets, predicted, len(vocab)).tolist(),
        items=[
            {
                "item": int(item),
                "path": path,
                "actual": vocab[actual],
                "predicted": vocab[guess],
                "loss": float(loss),
                "probability_predicted": float(row[guess]),
                "probability_actual": float(row[actual]),
            }
            for item, path, actual, guess, loss, row in zip(
                items, paths, targets, predicted, losses, scores, strict=True
            )
        ],
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


def top_losses(losses: Sequence[float], k: int) -> list[int]:
    """Positions of the ``k`` largest losses, largest first."""
    order = np.argsort(-np.asarray(losses), kind="stable")
    return [int(i) for i in order[:k]]


def _ratio(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
