"""Familiarity on features whose places are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.judge.calibration import AS_IT_IS
from ml.judge.familiarity import (
    EVENNESS,
    SHIFT_WEIGHT,
    Familiarity,
    KnownPictures,
    fit_familiarity,
    of_length_1,
)
from ml.judge.judgement import Judgement
from ml.judge.shift_weight import ShiftWeight

FIRST, REST, BREEDS = 20, 12, 4
Floats = NDArray[np.float32]


def features(n: int, targets: NDArray[np.int64], seed: int, away: float = 0.0) -> Floats:
    """Around each breed's own direction, and ``away`` along one that no breed has."""
    chance = np.random.default_rng(seed)
    x = chance.normal(0, 0.3, (n, FIRST + REST))
    x[np.arange(n), targets] += 3
    x[np.arange(n), FIRST + targets] += 3
    x[:, 10] += away
    return x.astype(np.float32)


def known(n: int = 200, *, blur_axis: int = 11) -> KnownPictures:
    targets = np.arange(n) % BREEDS
    x = features(n, targets, 0)
    blurred = x[:100].copy()
    blurred[:, blur_axis] += np.random.default_rng(5).normal(0, 2, 100)
    return KnownPictures(x, FIRST, targets, blurred[None])


def fitted(pictures: KnownPictures) -> Familiarity:
    found = fit_familiarity(pictures, BREEDS)
    assert found is not None
    return found


def test_each_place_has_length_1_and_nothing_stays_nothing() -> None:
    x = of_length_1(np.array([[3, 4, 5, 12], [0, 0, 0, 2]]), 2)
    assert x == pytest.approx(np.array([[0.6, 0.8, 5 / 13, 12 / 13], [0, 0, 0, 1]]))


def test_what_lies_where_no_breed_does_is_less_familiar() -> None:
    familiarity = fitted(known())
    targets = np.arange(100) % BREEDS
    pets = familiarity.measure(features(100, targets, 1))
    others = familiarity.measure(features(100, targets, 2, away=4))
    assert np.mean(others[:, None] < pets) > 0.99


def test_along_what_blur_changes_a_distance_counts_less() -> None:
    targets = np.arange(100) % BREEDS
    moved = features(100, targets, 3)
    moved[:, 11] += 2.5
    aware, unaware = fitted(known()), fitted(known(blur_axis=9))
    pets = features(100, targets, 1)

    def refused(familiarity: Familiarity) -> float:
        return float((familiarity.measure(moved) < np.quantile(familiarity.measure(pets), 0.05)).mean())

    assert refused(aware) < 0.3
    assert refused(unaware) > 0.9


def test_the_distance_is_mahalanobis_own_where_all_directions_are_told_apart() -> None:
    pictures = known()
    familiarity = fitted(pictures)
    x = of_length_1(pictures.features, FIRST)
    means = np.stack([x[pictures.targets == breed].mean(0) for breed in range(BREEDS)])
    off = x - means[pictures.targets]
    brought = of_length_1(pictures.shifted[0], FIRST) - x[:100]
    scatter = off.T @ off / len(off)
    even = np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    moved = SHIFT_WEIGHT * brought.T @ brought / len(brought)
    inverse = np.linalg.inv((1 - EVENNESS) * scatter + EVENNESS * even + moved)
    new = of_length_1(features(9, np.arange(9) % BREEDS, 7), FIRST)
    steps = new[:, None] - means
    expected = -np.einsum("ncd,de,nce->nc", steps, inverse, steps).min(1)
    found = familiarity.measure(features(9, np.arange(9) % BREEDS, 7))
    assert found / found[0] == pytest.approx(expected / expected[0], rel=1e-3)


def test_a_breed_without_pictures_and_one_picture_alone_are_measured_all_the_same() -> None:
    alone = KnownPictures(np.ones((1, 8), np.float32), 4, np.zeros(1, np.int64), np.ones((1, 1, 8), np.float32))
    familiarity = fitted(alone)
    assert np.isfinite(familiarity.measure(np.array([[1.0, 2, 3, 4, 5, 6, 7, 8]]))).all()


def test_features_that_are_no_numbers_are_left_out_and_alone_give_nothing() -> None:
    pictures = known()
    pictures.features[0] = np.nan
    pictures.shifted[0, 1] = np.inf
    assert np.isfinite(fitted(pictures).measure(pictures.features[1:])).all()
    broken = KnownPictures(
        np.full((3, 8), np.nan, np.float32), 4, np.zeros(3, np.int64), np.ones((1, 3, 8), np.float32)
    )
    assert fit_familiarity(broken, 2) is None


def judgement(familiar: list[float]) -> Judgement:
    empty = np.empty(0)
    return Judgement("cross_entropy", AS_IT_IS, empty, fitted(known()), np.sort(np.array(familiar)))


def test_the_known_score_is_the_share_of_validation_pictures_that_are_no_more_familiar() -> None:
    pictures = known()
    measured = fitted(pictures).measure(pictures.features)
    found = judgement(measured[:19].tolist()).known_scores(pictures.features[:19])
    assert found is not None
    # Each is as familiar as itself: of 19 pictures the least familiar has (1 + 1) / 20.
    assert np.sort(found) == pytest.approx(np.arange(2, 21) / 20)


def test_as_many_known_pictures_are_refused_as_are_to_be() -> None:
    familiarity = fitted(known())
    targets = np.arange(1000) % BREEDS
    of_validation = familiarity.measure(features(1000, targets, 11))
    found = judgement(of_validation.tolist()).known_scores(features(1000, targets, 12))
    assert found is not None
    for share in (0.01, 0.05, 0.2):
        assert (found <= share).mean() == pytest.approx(share, abs=0.025)


def test_what_is_no_number_is_known_least_of_all() -> None:
    found = judgement([-1.0, -2.0, -3.0]).known_scores(np.full((1, FIRST + REST), np.nan, np.float32))
    assert found == pytest.approx([0.25])


def test_without_a_familiarity_nothing_is_said() -> None:
    nothing = Judgement("cross_entropy", AS_IT_IS, np.empty(0), None, np.empty(0))
    assert nothing.known_scores(np.ones((1, 8))) is None


def test_a_judgement_keeps_how_much_blur_and_noise_count(tmp_path: Path) -> None:
    shift = ShiftWeight(2.0, "reached", 0.1, 300, 0.08, 0.09)
    replace(judgement([-1.0]), shift=shift).write(tmp_path / "judgement.safetensors")
    assert Judgement.read(tmp_path / "judgement.safetensors").shift == shift


def test_a_judgement_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = judgement([-1.0, -2.0])
    written.write(tmp_path / "judgement.safetensors")
    read = Judgement.read(tmp_path / "judgement.safetensors")
    assert read.shift is None
    x = known().features
    assert read.calibration == written.calibration
    assert read.familiar.tolist() == [-2, -1]
    assert read.known_scores(x) == pytest.approx(written.known_scores(x))
