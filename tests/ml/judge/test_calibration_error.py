"""The calibration error by hand, and what of it is chance."""

import numpy as np
import pytest

from ml.judge.calibration_error import BINS, calibration_error


def test_the_error_is_the_one_worked_out_by_hand() -> None:
    # Fifteen bins of two pictures: the confidences' mean is 0.75 everywhere, the accuracy 1 in ten bins, 0.5 in five.
    confidence = np.linspace(0.7, 0.8, 2 * BINS)
    hit = np.ones(2 * BINS, np.bool_)
    hit[20::2] = False
    gaps = np.abs(confidence.reshape(BINS, 2).mean(1) - hit.reshape(BINS, 2).mean(1))
    found = calibration_error(confidence, hit)
    assert found is not None
    assert found.ece == pytest.approx(gaps.mean())
    assert found.ece == pytest.approx((10 * 0.25 + 5 * 0.25) / 15, abs=0.03)


def test_bins_hold_equally_many_pictures_however_close_the_confidences() -> None:
    confidence = np.concatenate([np.full(100, 0.999), [0.1, 0.2, 0.3, 0.4, 0.5]])
    # In bins of equal width 0.1 the hundred would be one bin without an error.
    hit = np.concatenate([np.arange(100) < 100, np.zeros(5, np.bool_)])
    found = calibration_error(confidence[::-1].copy(), hit[::-1].copy())
    assert found is not None
    assert found.ece == pytest.approx((0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 100 * 0.001) / 105, abs=2e-3)


def test_a_calibrated_models_error_is_within_what_chance_gives() -> None:
    chance = np.random.default_rng(3)
    below = []
    for _ in range(40):
        confidence = chance.uniform(0.5, 1, 600)
        found = calibration_error(confidence, chance.uniform(size=600) < confidence)
        assert found is not None
        below.append(found.ece <= found.by_chance)
    assert np.mean(below) >= 0.85


@pytest.mark.parametrize("power", [0.5, 3.0])
def test_a_model_that_is_too_sure_or_not_sure_enough_is_found_out(power: float) -> None:
    chance = np.random.default_rng(4)
    truth = chance.uniform(0.3, 1, 2000)
    found = calibration_error(truth ** (1 / power), chance.uniform(size=2000) < truth)
    assert found is not None
    assert found.by_chance < found.low < found.ece < found.high


def test_what_is_no_number_is_left_out_and_nothing_has_no_error() -> None:
    assert calibration_error(np.array([np.nan]), np.array([True])) is None
    one = calibration_error(np.array([np.nan, 0.8]), np.array([True, True]))
    assert one is not None
    assert one.ece == pytest.approx(0.2)
