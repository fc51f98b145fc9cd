"""The weight of blur and noise that a run chooses, on features whose places are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.judge.familiarity import SHIFT_WEIGHT, KnownPictures, fit_familiarity
from ml.judge.fitting import REFUSED
from ml.judge.shift_weight import (
    FEWEST,
    POOR_REFUSED,
    WEIGHTS,
    PoorPictures,
    ShiftWeight,
    WeightedFamiliarity,
    fit_weighted,
)

PLACE, BREEDS, POOR = 16, 4, 120
BLUR, NOISE = 10, 11
"""The axes, of both places, that blur and noise move a picture along."""
Floats = NDArray[np.float32]
Found = tuple[WeightedFamiliarity, ShiftWeight]


def features(n: int, seed: int) -> Floats:
    """Around each breed's own direction, in both places."""
    chance, targets = np.random.default_rng(seed), np.arange(n) % BREEDS
    x = chance.normal(0, 0.3, (n, 2 * PLACE))
    x[np.arange(n), targets] += 3
    x[np.arange(n), PLACE + targets] += 3
    return x.astype(np.float32)


def poor(x: Floats, axis: int, strength: float, seed: int) -> Floats:
    """The same pictures, each moved along an axis by about the strength."""
    steps = np.random.default_rng(seed).normal(0, strength, len(x)).astype(np.float32)
    moved = x.copy()
    moved[:, axis] += steps
    moved[:, PLACE + axis] += steps
    return moved


def known(strength: float) -> KnownPictures:
    x = features(200, 0)
    shifted = np.stack([poor(x[:100], BLUR, strength, 1), poor(x[:100], NOISE, strength, 2)])
    return KnownPictures(x, PLACE, np.arange(200) % BREEDS, shifted)


def poor_of(valid: Floats, blur: float, noise: float, axes: tuple[int, int] = (BLUR, NOISE)) -> PoorPictures:
    rows = np.arange(0, 2 * POOR, 2)
    return PoorPictures(rows, np.stack([poor(valid[rows], axes[0], blur, 3), poor(valid[rows], axes[1], noise, 4)]))


def chosen(blur: float, noise: float, axes: tuple[int, int] = (BLUR, NOISE)) -> Found:
    valid = features(400, 5)
    found = fit_weighted(known(1.0), BREEDS, valid, poor_of(valid, blur, noise, axes), REFUSED)
    assert found is not None
    return found


def refused(found: Found, blur: float, noise: float) -> NDArray[np.float64]:
    """The shares of new blurred and noisy pictures refused, by a threshold of new pictures."""
    measure = found[0].familiarity.measure
    least = np.quantile(measure(features(2000, 7)), REFUSED)
    new = features(2000, 8)
    kinds = poor(new, BLUR, blur, 9), poor(new, NOISE, noise, 10)
    return np.array([(measure(kind) < least).mean() for kind in kinds])


def test_without_what_a_poor_camera_changes_no_weight_is_taken() -> None:
    tried, shift = chosen(0.0, 0.0)
    assert (tried.weight, shift.weight, shift.choice) == (0, 0, "reached")
    assert shift.blurred == shift.noisy == pytest.approx(REFUSED, abs=0.03)


def own_shares(weight: float, blur: float, noise: float) -> list[float]:
    """Of the very pictures that the weight is chosen by, refused by the threshold of the whole validation side."""
    valid, familiarity = features(400, 5), fit_familiarity(known(1.0), BREEDS, weight)
    assert familiarity is not None
    least = np.sort(familiarity.measure(valid))[round(REFUSED * 400) - 1]
    return [float((familiarity.measure(kind) < least).mean()) for kind in poor_of(valid, blur, noise).features]


def test_the_smallest_weight_that_keeps_to_what_is_wanted_is_taken() -> None:
    weights = []
    for strength in (0.5, 1.2):
        found = chosen(strength, strength / 2)
        weight = found[1].weight
        assert found[1].choice == "reached"
        assert max(own_shares(weight, strength, strength / 2)) <= POOR_REFUSED
        assert max(own_shares(WEIGHTS[WEIGHTS.index(weight) - 1], strength, strength / 2)) > POOR_REFUSED
        assert refused(found, strength, strength / 2).max() < POOR_REFUSED + 0.04
        weights.append(weight)
    assert 0 < weights[0] < weights[1], "the poorer the photos, the larger the weight"


def test_the_worse_of_the_two_kinds_decides() -> None:
    both, neither = (chosen(strength, strength)[1].weight for strength in (1.2, 0.0))
    assert neither < chosen(1.2, 0.0)[1].weight <= both
    assert neither < chosen(0.0, 1.2)[1].weight <= both


def test_where_no_weight_is_enough_it_says_so_and_takes_no_more_than_helps() -> None:
    tried, shift = chosen(4.0, 4.0, axes=(8, 9))
    assert shift.choice == "out_of_reach"
    assert tried.weight == 0, "these axes are not those that weight eases"
    assert shift.blurred is not None
    assert shift.blurred > POOR_REFUSED


def test_a_picture_gives_nothing_to_what_it_is_measured_with() -> None:
    shift = chosen(1.0, 1.0)[1]
    valid = features(400, 5)
    found = poor_of(valid, 1.0, 1.0)
    found.features[:, 7] = np.nan
    without = fit_weighted(known(1.0), BREEDS, valid, found, REFUSED)
    assert without is not None
    assert shift.blurred is not None
    assert without[1].blurred is not None
    assert abs(without[1].blurred - shift.blurred) <= 1.01 / POOR


def test_the_same_pictures_give_the_same_weight() -> None:
    assert chosen(0.9, 0.5)[1] == chosen(0.9, 0.5)[1]


@pytest.mark.parametrize("count", [None, 0, FEWEST - 1])
def test_too_few_poor_pictures_leave_the_usual_weight(count: int | None) -> None:
    valid = features(400, 5)
    few = None
    if count is not None:
        whole = poor_of(valid, 1, 1)
        few = PoorPictures(whole.rows[:count], whole.features[:, :count])
    found = fit_weighted(known(1.0), BREEDS, valid, few, REFUSED)
    assert found is not None
    assert found[1] == ShiftWeight(SHIFT_WEIGHT, "too_few", POOR_REFUSED, count or 0)
    usual = fit_familiarity(known(1.0), BREEDS)
    assert usual is not None
    assert found[0].valid == pytest.approx(usual.measure(valid))


def test_without_known_pictures_nothing_is_measured() -> None:
    broken = KnownPictures(
        np.full((3, 8), np.nan, np.float32), 4, np.zeros(3, np.int64), np.ones((2, 3, 8), np.float32)
    )
    valid = np.ones((100, 8), np.float32)
    whole = PoorPictures(np.arange(100), np.ones((2, 100, 8), np.float32))
    assert fit_weighted(broken, 2, valid, whole, REFUSED) is None
    assert fit_weighted(broken, 2, valid, None, REFUSED) is None


def test_poor_pictures_are_counted_among_those_that_may_be_used() -> None:
    found = PoorPictures(np.array([1, 4, 6]), np.arange(6, dtype=np.float32).reshape(2, 3, 1)).among(
        np.array([0, 1, 6, 9])
    )
    assert found.rows.tolist() == [1, 2]
    assert found.features[0, :, 0].tolist() == [0, 2]
