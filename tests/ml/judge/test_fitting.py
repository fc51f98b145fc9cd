"""What a validation side says of a model's answers, measured on pictures that nothing was fitted on."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from ml.config import LossName
from ml.errors import CheckpointInvalid
from ml.judge.fitting import FittedJudgement, fit_judgement
from ml.judge.judgement import Judgement
from ml.judge.stored import fit_on_predictions

CLASSES = 6
Floats = NDArray[np.float32]


def drawn(n: int, temperature: float, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    chance = np.random.default_rng(seed)
    honest = chance.normal(0, 2, (n, CLASSES))
    truth = (honest + chance.gumbel(size=honest.shape)).argmax(1)
    return (honest * temperature).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.4, 3])
def test_calibration_takes_the_error_away_both_ways(temperature: float) -> None:
    worth = fit_judgement("cross_entropy", *drawn(2000, temperature)).worth
    assert worth.raw is not None
    assert worth.calibrated is not None
    assert worth.raw.low > 0.05
    assert worth.calibrated.ece < worth.calibrated.by_chance
    assert worth.temperature == pytest.approx(temperature, rel=0.1)


def test_sets_hold_the_truth_as_often_as_asked_on_new_pictures() -> None:
    fitted = fit_judgement("cross_entropy", *drawn(2000, 3))
    logits, truth = drawn(5000, 3, seed=1)
    probabilities = fitted.judgement.probabilities(logits)
    for one in fitted.worth.coverages:
        least = fitted.judgement.least_probability(one.asked)
        held = (probabilities[np.arange(5000), truth] >= least).mean()
        assert held == pytest.approx(one.asked, abs=0.02)
        assert one.found == pytest.approx(one.asked, abs=0.02)
        assert one.mean_size == pytest.approx((probabilities >= least).sum(1).mean(), rel=0.06)


def test_all_that_was_measured_is_in_the_record() -> None:
    worth = fit_judgement("cross_entropy", *drawn(50, 1)).worth
    content = json.loads(json.dumps(worth.content()))
    assert content == {**asdict(worth), "refused_asked": 0.05}


def test_a_picture_gives_nothing_to_its_own_calibration() -> None:
    logits, truth = drawn(60, 3)
    calibrated = fit_judgement("cross_entropy", logits, truth).calibrated
    other = (truth + 1) % CLASSES
    changed = truth.copy()
    changed[7] = other[7]
    assert fit_judgement("cross_entropy", logits, changed).calibrated[7] == pytest.approx(calibrated[7])
    assert not np.allclose(fit_judgement("cross_entropy", logits, changed).calibrated, calibrated)


def test_what_the_model_learned_from_says_nothing_and_is_calibrated_by_the_others() -> None:
    logits, truth = drawn(400, 2)
    learned = np.concatenate([logits, np.eye(CLASSES, dtype=np.float32)[truth] * 50])
    usable = np.arange(800) < 400
    fitted = fit_judgement("cross_entropy", learned, np.concatenate([truth, truth]), usable)
    assert fitted.judgement.calibration == fit_judgement("cross_entropy", logits, truth).judgement.calibration
    assert fitted.worth.pictures == 400
    assert fitted.calibrated.shape == (800, CLASSES)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_logits_that_are_no_numbers_are_left_out(bad: float) -> None:
    logits, truth = drawn(50, 1)
    logits[3, 2] = bad
    fitted = fit_judgement("cross_entropy", logits, truth)
    assert fitted.worth.pictures == 49
    assert np.isfinite(np.delete(fitted.calibrated, 3, 0)).all()


def sigmoids(n: int) -> tuple[Floats, NDArray[np.int64]]:
    """Logits whose first guess is right more often than they say."""
    chance = np.random.default_rng(6)
    logits = chance.normal(-2, 0.5, (n, CLASSES))
    truth = chance.integers(0, CLASSES, n)
    logits[np.arange(n), truth] += chance.normal(1.5, 1, n)
    return logits.astype(np.float32), truth


def test_sigmoids_have_a_bias_in_the_file_which_older_programs_refuse(tmp_path: Path) -> None:
    logits, truth = sigmoids(300)
    fitted = fit_judgement("binary_cross_entropy", logits, truth)
    assert fitted.worth.bias == fitted.judgement.calibration.bias > 0.5
    fitted.judgement.write(tmp_path / "judgement.safetensors")
    found = Judgement.read(tmp_path / "judgement.safetensors")
    assert found.calibration == fitted.judgement.calibration
    with safe_open(tmp_path / "judgement.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["about"])["format_version"] == 2


def test_a_file_of_before_there_was_a_bias_is_read_as_it_was(tmp_path: Path) -> None:
    judgement = fit_judgement("cross_entropy", *drawn(60, 2)).judgement
    judgement.write(tmp_path / "new")
    with safe_open(tmp_path / "new", "numpy") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    assert about["format_version"] == 1
    del about["bias"]
    save_file(tensors, tmp_path / "old", {"about": json.dumps(about)})
    assert Judgement.read(tmp_path / "old").calibration == judgement.calibration


def test_sets_of_sigmoids_are_of_the_scores_that_are_served() -> None:
    logits, truth = sigmoids(40)
    judgement = fit_judgement("binary_cross_entropy", logits, truth).judgement
    served = judgement.probabilities(logits)[np.arange(40), truth]
    assert judgement.of_truth.tolist() == sorted(served.tolist())


def all_of(fitted: FittedJudgement) -> list[float]:
    return [fitted.worth.temperature, *fitted.judgement.of_truth]


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize(("n", "classes"), [(0, 3), (1, 3), (2, 2), (5, 1), (74, 37)])
def test_few_pictures_and_few_breeds_are_judged_in_bounds(loss: LossName, n: int, classes: int) -> None:
    truth = np.arange(n) % classes
    logits = 4 * np.eye(classes, dtype=np.float32)[truth] if n else np.empty((0, classes), np.float32)
    fitted = fit_judgement(loss, logits, truth)
    assert np.isfinite(all_of(fitted)).all()
    assert 0.05 < fitted.worth.temperature < 20
    assert fitted.judgement.least_probability(0.99) == -np.inf


def test_a_broken_or_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "judgement.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointInvalid, match="cannot be read"):
        Judgement.read(path)


def predictions(path: Path, logits: Floats, truth: NDArray[np.int64], **more: object) -> None:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    rows = [
        {"actual": f"b{actual}", "probabilities": {f"b{i}": float(one) for i, one in enumerate(row)}, **more}
        for actual, row in zip(truth, odds / odds.sum(1, keepdims=True), strict=True)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


def test_a_run_of_before_is_calibrated_by_its_stored_predictions(tmp_path: Path) -> None:
    logits, truth = drawn(300, 2.5)
    predictions(tmp_path / "predictions.jsonl", logits, truth)
    found = fit_on_predictions(tmp_path / "predictions.jsonl", "cross_entropy", [f"b{i}" for i in range(CLASSES)])
    expected = fit_judgement("cross_entropy", logits, truth).judgement
    assert found is not None
    assert found.calibration.temperature == pytest.approx(expected.calibration.temperature, rel=1e-3)
    assert found.of_truth == pytest.approx(expected.of_truth, abs=1e-4)
    assert found.familiarity is None


def test_stored_predictions_of_learned_pictures_do_not_count(tmp_path: Path) -> None:
    predictions(tmp_path / "predictions.jsonl", *drawn(30, 2), trained_on=True)
    found = fit_on_predictions(tmp_path / "predictions.jsonl", "cross_entropy", [f"b{i}" for i in range(CLASSES)])
    assert found is None


@pytest.mark.parametrize("content", ["{", '{"item": 1}', '{"actual": "b0", "probabilities": [0.5]}', "3"])
def test_predictions_of_another_kind_leave_a_model_uncalibrated(tmp_path: Path, content: str) -> None:
    (tmp_path / "predictions.jsonl").write_text(content)
    assert fit_on_predictions(tmp_path / "predictions.jsonl", "cross_entropy", ["b0"]) is None
