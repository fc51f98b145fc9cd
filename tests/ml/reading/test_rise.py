"""From which rate on a loss rises: how seldom chance looks like it, and how near the answer is."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.learn.schedule import exponential
from ml.reading.rise import rises_at

STEPS = 100
LRS = [exponential(1e-7, 10, number / STEPS) for number in range(STEPS)]


def noise(chance: np.random.Generator) -> NDArray[np.float64]:
    """Of a mean of a few losses: skewed, as losses are; of variance 1."""
    return (chance.gamma(4, 1, STEPS) - 4) / 2


def test_noise_alone_seldom_rises() -> None:
    chance = np.random.default_rng(2)
    risen = [rises_at(LRS, (5 + noise(chance)).tolist(), STEPS) is not None for _ in range(600)]
    assert sum(risen) < 45
    assert sum(sum(risen[i : i + 3]) > 1 for i in range(0, 600, 3)) <= 3


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("onset", [35, 60])
def test_a_rise_is_found_where_it_stands_out_of_the_noise(onset: int, power: float) -> None:
    # At the onset it is as large as the noise of one step.
    chance = np.random.default_rng(3)
    rise = (np.asarray(LRS) / LRS[onset]) ** power
    found = [rises_at(LRS, (5 + noise(chance) + rise).tolist(), STEPS) for _ in range(200)]
    steps = [LRS.index(rate) - onset for rate in found if rate is not None]
    assert len(steps) == 200
    assert -3 <= float(np.median(steps)) <= 2
    assert max(steps) <= 12


def test_a_loss_that_falls_first_rises_where_it_passes_its_start() -> None:
    losses = [2.0 - (i > 10) + 0.1 * max(0, i - 60) for i in range(STEPS)]
    assert rises_at(LRS, losses, STEPS) == LRS[70 - 1]
    assert rises_at(LRS, [3.0 - i / 100 for i in range(STEPS)], STEPS) is None
    assert rises_at(LRS, [3.0] * STEPS, STEPS) is None


def test_a_peak_that_goes_by_is_no_rise() -> None:
    assert rises_at(LRS, [1.0 + 5 * (40 <= i < 50) for i in range(STEPS)], STEPS) is None


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_has_risen(broken: float) -> None:
    assert rises_at(LRS[:40], [1.0] * 39 + [broken], STEPS) == LRS[35]
    assert rises_at(LRS[:8], [1.0] * 7 + [broken], STEPS) is None
    assert rises_at(LRS[:16], [1.0] * 5 + [broken] + [1.0] * 10, STEPS) is None


def test_too_few_steps_say_nothing() -> None:
    assert rises_at(LRS[:14], [1.0] * 7 + [9.0] * 7, STEPS) is None
    assert rises_at(LRS[:15], [1.0] * 10 + [9.0] * 5, STEPS) == LRS[6]
