from typing import Any

import numpy as np
import pytest

from ml.reading.label_doubts import (
    class_thresholds,
    confident_class,
    confident_joint,
    find_doubts,
    wrong_labels,
)

# Four pictures said to be of class 0, three of class 1; the fourth looks like class 1, the fifth like nothing.
SCORES = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.2, 0.8], [0.55, 0.45], [0.1, 0.9], [0.3, 0.7]])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1])


def test_the_paper_s_figures_come_out_by_hand() -> None:
    thresholds = class_thresholds(SCORES, LABELS)
    assert thresholds == pytest.approx([(0.9 + 0.8 + 0.7 + 0.2) / 4, (0.45 + 0.9 + 0.7) / 3])
    confident = confident_class(SCORES, thresholds)
    assert confident.tolist() == [0, 0, 0, 1, -1, 1, 1]
    joint = confident_joint(confident, LABELS, 2)
    assert joint.tolist() == [[3, 1], [0, 2]]
    assert wrong_labels(joint, LABELS) == pytest.approx(4 * 1 / 4 + 0)


def test_the_doubtful_ones_are_those_off_the_diagonal_most_doubtful_first() -> None:
    found = find_doubts(SCORES, LABELS)
    assert found.order() == [3]
    assert found.doubt[3] == pytest.approx((1 + 0.8 - 0.2) / 2)
    assert found.doubt[0] == pytest.approx((1 + 0.1 - 0.9) / 2)
    assert found.other.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert found.wrong == pytest.approx(1.0)


def test_of_two_classes_over_their_thresholds_the_likeliest_counts() -> None:
    # Thresholds 0.5, 0.3 and 0.2: the last picture reaches two of them.
    scores = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.7, 0.1, 0.2], [0.1, 0.5, 0.4]])
    labels = np.array([0, 1, 2, 2])
    assert class_thresholds(scores, labels) == pytest.approx([0.5, 0.3, 0.3])
    assert confident_class(scores, class_thresholds(scores, labels)).tolist() == [0, 0, 0, 1]


def test_a_class_that_nothing_is_said_to_be_of_is_never_suggested() -> None:
    scores = np.array([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1]])
    found = find_doubts(scores, np.array([0, 1]))
    assert class_thresholds(scores, np.array([0, 1]))[2] == np.inf
    assert found.order() == []


def test_planted_wrong_labels_are_found() -> None:
    generator = np.random.default_rng(3)
    classes, n, share = 37, 7390, 0.05
    actual = generator.integers(0, classes, n)
    logits = generator.normal(0, 1, (n, classes))
    logits[np.arange(n), actual] += 6
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = actual.copy()
    planted = generator.choice(n, int(share * n), replace=False)
    labels[planted] = (actual[planted] + generator.integers(1, classes, len(planted))) % classes
    found = find_doubts(scores, labels)
    order = found.order()
    first = order[: len(planted)]
    assert len(set(first) & set(planted.tolist())) / len(planted) > 0.95
    assert found.wrong == pytest.approx(len(planted), rel=0.15)
    assert np.mean(found.other[planted] == actual[planted]) > 0.95


def test_without_any_pictures_nothing_is_doubtful() -> None:
    found = find_doubts(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    assert (found.order(), found.wrong) == ([], 0.0)


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        (np.zeros((2, 3)), np.zeros(3, dtype=np.int64)),
        (np.zeros(3), np.zeros(3, dtype=np.int64)),
        (np.full((1, 2), np.nan), np.zeros(1, dtype=np.int64)),
        (np.zeros((1, 2)), np.array([2])),
        (np.zeros((1, 2)), np.array([-1])),
    ],
)
def test_what_does_not_fit_is_refused(scores: Any, labels: Any) -> None:  # noqa: ANN401 - arrays
    with pytest.raises(ValueError, match="one row a label"):
        find_doubts(scores, labels)
