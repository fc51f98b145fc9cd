"""Conformal sets on data whose truth is known."""

import math

import numpy as np
import pytest

from ml.judge.sets import breeds_in, least_probability, pictures_for


def test_the_rank_is_that_of_the_book() -> None:
    of_truth = np.arange(1, 20) / 20
    # 19 pictures and coverage 0.9: floor(0.1 * 20) = 2, the second smallest.
    assert least_probability(of_truth, 0.9) == pytest.approx(0.10)
    assert least_probability(of_truth, 0.95) == pytest.approx(0.05)
    assert least_probability(of_truth, 0.96) == -math.inf


@pytest.mark.parametrize(("coverage", "pictures"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)])
def test_as_many_pictures_as_a_coverage_takes(coverage: float, pictures: int) -> None:
    assert pictures_for(coverage) == pictures
    assert least_probability(np.full(pictures, 0.5), coverage) == 0.5
    assert least_probability(np.full(pictures - 1, 0.5), coverage) == -math.inf


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95, 0.99])
def test_exchangeable_pictures_are_covered_as_often_as_asked(coverage: float) -> None:
    chance = np.random.default_rng(0)
    held = []
    for _ in range(200):
        probabilities = chance.dirichlet(np.ones(5), 300)
        # The model is wrong about its probabilities, and it does not matter.
        truth = (2 * np.log(probabilities) + chance.gumbel(size=probabilities.shape)).argmax(1)
        of_truth = probabilities[np.arange(300), truth]
        least = least_probability(np.sort(of_truth[:199]), coverage)
        held.append(np.mean([truth[i] in breeds_in(probabilities[i], least) for i in range(199, 300)]))
    # Of 199 pictures the expected coverage is exactly (200 - floor((1 - coverage) * 200)) / 200.
    assert np.mean(held) == pytest.approx(coverage, abs=0.008)


def test_a_set_is_sorted_and_ties_stay_in_the_vocabularys_order() -> None:
    assert breeds_in(np.array([0.2, 0.4, 0.2, 0.1, 0.1]), 0.2) == [1, 0, 2]
    assert breeds_in(np.array([0.2, 0.4, 0.4]), 0.5) == []


@pytest.mark.parametrize("least", [0.5, -math.inf])
def test_what_is_no_number_is_in_no_way_excluded(least: float) -> None:
    assert sorted(breeds_in(np.full(3, np.nan), least)) == [0, 1, 2]
