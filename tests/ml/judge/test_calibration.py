"""Calibration on logits whose temperature is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.config import LossName
from ml.judge.calibration import AS_IT_IS, Calibration, fit_calibration
from ml.judge.scores import scores_from, sigmoid

Floats = NDArray[np.float32]


def drawn(temperature: float, n: int = 20_000, classes: int = 7) -> tuple[Floats, NDArray[np.int64]]:
    """Logits that are right at a temperature, and the classes that were drawn by them."""
    chance = np.random.default_rng(1)
    honest = chance.normal(0, 2, (n, classes))
    truth = (honest + chance.gumbel(size=honest.shape)).argmax(1)
    return (honest * temperature).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1, 2, 10])
def test_the_temperature_that_made_the_logits_is_found(temperature: float) -> None:
    found = fit_calibration("cross_entropy", *drawn(temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_the_scale_of_single_sigmoids_is_found(scale: float) -> None:
    chance = np.random.default_rng(2)
    honest = chance.normal(0, 2, 60_000)
    # Two classes, of which exactly one holds: the second one's logit is the first's with another sign.
    truth = (chance.uniform(size=len(honest)) < 1 - sigmoid(honest)).astype(np.int64)
    logits = np.stack([honest, -honest], 1)
    found = fit_calibration("binary_cross_entropy", logits / scale, truth)
    assert found.scale == pytest.approx(scale, rel=0.05)
    assert found.bias == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("scale", "bias"), [(0.4, 1.5), (1, -1), (2, 0)])
def test_the_scale_and_the_bias_of_first_guesses_are_found(scale: float, bias: float) -> None:
    chance = np.random.default_rng(3)
    first = chance.uniform(0, 3, 60_000)
    right = chance.uniform(size=len(first)) < sigmoid(scale * first + bias)
    # The other breeds' own sigmoids are far too sure, which is not looked at.
    logits = np.stack([first, first - 5, first - 6], 1)
    found = fit_calibration("binary_cross_entropy", logits, np.where(right, 0, 1))
    assert (found.scale, found.bias) == pytest.approx((scale, bias), abs=0.06)


def test_the_first_guess_of_many_unsure_sigmoids_is_as_often_right_as_it_says() -> None:
    # 37 breeds: the loss over all of them would be least where the first guess says far too little.
    chance = np.random.default_rng(4)
    logits = chance.normal(-1, 0.5, (4000, 37))
    truth = chance.integers(0, 37, 4000)
    logits[np.arange(4000), truth] += chance.normal(2, 1, 4000)
    scores = fit_calibration("binary_cross_entropy", logits, truth).apply("binary_cross_entropy", logits)
    right = scores.argmax(1) == truth
    assert scores.max(1).mean() == pytest.approx(right.mean(), abs=0.01)
    sure = scores.max(1) > np.median(scores.max(1))
    assert scores.max(1)[sure].mean() == pytest.approx(right[sure].mean(), abs=0.05)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_nothing_near_has_a_smaller_likelihood(loss: LossName) -> None:
    logits, truth = drawn(3, n=400)
    found = fit_calibration(loss, logits, truth)

    def cost(tried: Calibration) -> float:
        scores = tried.apply(loss, logits)
        if loss == "cross_entropy":
            return float(-np.log(scores[np.arange(400), truth]).mean())
        first, right = scores.max(1), scores.argmax(1) == truth
        return float(-np.log(np.where(right, first, 1 - first)).mean())

    near = [Calibration(found.scale * off, found.bias) for off in (0.8, 0.9, 1.1, 1.25)]
    beside = [Calibration(found.scale, found.bias + off) for off in (-0.3, 0.3)] if loss != "cross_entropy" else []
    assert all(cost(found) < cost(other) for other in [AS_IT_IS, *near, *beside])


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("right", [True, False])
def test_a_few_pictures_that_are_all_right_or_all_wrong_have_bounds(loss: LossName, right: bool) -> None:
    truth = np.arange(10) % 3
    logits = np.eye(3, dtype=np.float32)[truth if right else (truth + 1) % 3] * 5
    found = fit_calibration(loss, logits, truth)
    assert 1e-3 <= found.scale < 10
    assert abs(found.bias) < 10
    sure = found.apply(loss, logits).max(1)
    assert ((sure > 0.9) if right else (sure < 0.5)).all()


def test_first_guesses_that_are_less_often_right_the_surer_they_are_keep_their_order() -> None:
    chance = np.random.default_rng(5)
    first = chance.uniform(1, 4, 500)
    wrong = chance.uniform(size=500) < sigmoid(first - 2)
    logits = np.stack([first, np.zeros(500)], 1)
    found = fit_calibration("binary_cross_entropy", logits, wrong.astype(np.int64))
    scores = found.apply("binary_cross_entropy", logits)
    assert found.scale == 1e-3
    assert (scores.argmax(1) == 0).all()
    assert scores[:, 0].mean() == pytest.approx(1 - wrong.mean(), abs=0.02)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_nothing_to_fit_on_leaves_the_scores_as_they_are(loss: LossName) -> None:
    assert fit_calibration(loss, np.empty((0, 3), np.float32), np.empty(0, np.int64)) == AS_IT_IS


def test_one_class_has_nothing_to_calibrate_under_cross_entropy() -> None:
    found = fit_calibration("cross_entropy", np.ones((9, 1), np.float32), np.zeros(9, np.int64))
    assert found == AS_IT_IS


def test_extreme_logits_neither_overflow_nor_become_anything_but_scores() -> None:
    logits = np.array([[1e4, -1e4, 0.0]], np.float32)
    assert scores_from("cross_entropy", logits).tolist() == [[1, 0, 0]]
    assert scores_from("binary_cross_entropy", logits).tolist() == [[1, 0, 0.5]]
