import numpy as np
import pytest

from ml.reading.label_next import margins, most_different, most_uncertain


def test_the_smallest_margin_is_the_most_uncertain() -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.4, 0.35, 0.25], [0.5, 0.5, 0.0]])
    assert margins(scores) == pytest.approx([0.7, 0.05, 0.0])
    assert most_uncertain(scores, 2) == [2, 1]
    assert most_uncertain(scores, 9) == [2, 1, 0]
    assert margins(np.array([[0.3]])).tolist() == [0.3]


def test_each_next_one_is_the_farthest_from_all_before() -> None:
    points = np.array([[0.0, 0.0], [0.1, 0.0], [10.0, 0.0], [10.1, 0.0], [5.0, 4.0]])
    # The mean is at (5.04, 0.8): the farthest from it is the last on the right or the first on the left.
    chosen = most_different(points, 3)
    assert chosen == [3, 0, 4]


def test_one_of_each_heap_comes_before_the_second_of_any() -> None:
    generator = np.random.default_rng(1)
    heaps = np.repeat(np.eye(6) * 10, 50, axis=0) + generator.normal(0, 0.1, (300, 6))
    chosen = most_different(heaps, 6)
    assert sorted(place // 50 for place in chosen) == [0, 1, 2, 3, 4, 5]


def test_no_more_are_named_than_there_are_and_each_once() -> None:
    points = np.zeros((3, 2))
    assert sorted(most_different(points, 9)) == [0, 1, 2]
    assert most_different(np.zeros((0, 2)), 5) == []
