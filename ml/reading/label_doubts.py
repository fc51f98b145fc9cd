"""Which labels may be wrong, told from predictions alone: confident learning. numpy only.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70. The
predictions have to be of pictures that the model was not trained on: of the others it has learned the label, right or
wrong.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_EVEN = 0.5
"""The doubt of a label that is as likely as the best other one."""


@dataclass(frozen=True)
class LabelDoubts:
    """What the predictions say of n labels.

    Attributes:
        doubt: of each label, 0 (nothing speaks against it) to 1: (1 + p(best other) - p(label)) / 2, which is one less
            the normalized margin of the paper's section 3.2 brought to 0 … 1.
        other: the likeliest other breed, or the one that the confident joint counts the picture as, int [n].
        is_confident: whether the picture is confidently of another breed than its label: off the diagonal of the joint.
        wrong: estimate of how many of the labels are wrong, from the calibrated joint.
    """

    doubt: Doubles
    other: Ints
    is_confident: NDArray[np.bool_]
    wrong: float

    def order(self) -> list[int]:
        """Positions of the doubtful ones, the most doubtful first; ties keep their order.

        They are those off the joint's diagonal, and as many of the most doubtful as the joint says are wrong: the
        paper's "prune by noise rate", over all classes at once, since a cell of few pictures would round to none.
        """
        by_doubt = np.argsort(-self.doubt, kind="stable")
        likely = by_doubt[: round(self.wrong)]
        chosen = self.is_confident.copy()
        chosen[likely[self.doubt[likely] > _EVEN]] = True
        return [int(at) for at in by_doubt[chosen[by_doubt]]]


def find_doubts(scores: Doubles, labels: Ints) -> LabelDoubts:
    """Weigh n labels against a model's scores of the same pictures; O(n · classes).

    Args:
        scores: probabilities in [0, 1], float64 [n, classes], finite.
        labels: the class that each picture is said to be of, int64 [n].

    Raises:
        ValueError: the shapes do not fit, a label is no class, or a score is no number.
    """
    _check(scores, labels)
    rows = np.arange(len(labels))
    confident = confident_class(scores, class_thresholds(scores, labels))
    # A picture that is confidently of no class counts as of its label's: it speaks against nothing.
    is_confident = (confident >= 0) & (confident != labels)
    own = scores[rows, labels]
    others = scores.copy()
    others[rows, labels] = -1.0
    likeliest = others.argmax(1)
    other = np.where(is_confident, confident, likeliest)
    best = scores[rows, likeliest] if scores.shape[1] > 1 else np.zeros_like(own)
    joint = confident_joint(confident, labels, scores.shape[1])
    return LabelDoubts(
        doubt=(1 + best - own) / 2,
        other=other.astype(np.int64),
        is_confident=is_confident,
        wrong=wrong_labels(joint, labels),
    )


def class_thresholds(scores: Doubles, labels: Ints) -> Doubles:
    """The mean score of each class over the pictures that are said to be of it (equation 2); [classes].

    Infinite where no picture is said to be of the class: nothing is confidently of it.
    """
    classes = scores.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=scores[np.arange(len(labels)), labels], minlength=classes)
    means: Doubles = np.divide(sums, counts, out=np.full(classes, np.inf), where=counts > 0)
    return means


def confident_class(scores: Doubles, thresholds: Doubles) -> Ints:
    """The class that each picture confidently is of: of those over their threshold the likeliest (equation 1).

    -1 where no score reaches its class's threshold.
    """
    reaching = np.where(scores >= thresholds, scores, -1.0)
    return np.where(reaching.max(1) >= 0, reaching.argmax(1), -1).astype(np.int64)


def confident_joint(confident: Ints, labels: Ints, classes: int) -> Ints:
    """Counts [classes, classes], rows the given label, columns what the picture confidently is (equation 1)."""
    counted = confident >= 0
    flat = np.bincount(labels[counted] * classes + confident[counted], minlength=classes * classes)
    return flat.reshape(classes, classes)


def wrong_labels(joint: Ints, labels: Ints) -> float:
    """How many labels are wrong, by the joint calibrated so that each row sums to its label's count (equation 3)."""
    support = np.bincount(labels, minlength=len(joint)).astype(np.float64)
    counted = joint.sum(1)
    right = np.divide(joint.diagonal(), counted, out=np.ones(len(joint)), where=counted > 0)
    return float((support * (1 - right)).sum())


def _check(scores: Doubles, labels: Ints) -> None:
    shaped = scores.ndim == 2 and labels.shape == scores.shape[:1]  # noqa: PLR2004 - pictures and classes
    if not shaped or not np.isfinite(scores).all() or not ((labels >= 0) & (labels < scores.shape[1])).all():
        message = f"scores {scores.shape} and labels {labels.shape}: one row a label, finite, each label a column"
        raise ValueError(message)
