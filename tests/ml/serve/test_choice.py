"""Which way answers: a record of the choice, and what it was chosen by."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ml.decode.images import Limits
from ml.errors import CheckpointInvalid
from ml.serve.choice import Candidate, Choice, Sample, apart, choose, is_near
from ml.serve.classifier import Classifier
from ml.serve.machine import machine_kind
from ml.serve.way import InputName, Way
from ml.serve.ways import quick_ways
from tests.ml.pictures import jpeg
from tests.ml.serve.models import write_model

EXACT = Way("torch", "fp32", "exact")
QUICK = Way("openvino", "bf16", "direct", 2)


def test_a_choice_goes_into_a_record_and_comes_out_of_it() -> None:
    quick = Candidate(QUICK, 100.0, 9.5, 1.0, 0.004, 200, passed=True)
    choice = Choice(QUICK, machine_kind(), (quick, Candidate(EXACT, 40.0, 25.0, None, None, 0, passed=True)))
    assert Choice.read(json.loads(json.dumps(choice.content()))) == choice


@pytest.mark.parametrize("content", [None, {}, {"way": {"engine": "abacus"}, "machine": "", "candidates": []}])
def test_a_record_that_is_no_choice_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Choice.read(content)


def test_a_kind_of_machine_names_processor_cores_and_libraries() -> None:
    kind = machine_kind("cpu")
    assert kind == machine_kind("cpu")
    assert " cores, torch 2." in kind
    assert "openvino 20" in kind


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.serve.speed.SECONDS", 0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", precision="fp32")


Row = NDArray[np.float32]


def samples(folder: Path, change: Callable[[Row], Row] = lambda row: row) -> list[Sample]:
    """Photos, and what the model's validation would have stored, ``change``d."""
    exact = Classifier.load(folder, "cpu")
    files = [jpeg(seed=seed) for seed in range(20)]
    rows = [exact.scores(list(exact.run([exact.prepare(data, Limits())]))) for data in files]
    return [Sample(data, change(row)) for data, row in zip(files, rows, strict=True)]


def test_without_samples_the_exact_way_is_chosen(folder: Path) -> None:
    choice = choose(folder, [], Limits(), "cpu")
    assert choice.way == EXACT
    assert [one.way for one in choice.candidates] == [EXACT]
    assert choice.machine == machine_kind("cpu")


@pytest.mark.thorough
def test_the_quickest_of_those_that_answer_as_stored_is_chosen(folder: Path) -> None:
    choice = choose(folder, samples(folder), Limits(), "cpu")
    assert {one.way for one in choice.candidates} >= {EXACT, *quick_ways(EXACT, torch.device("cpu"))}
    passed = [one for one in choice.candidates if one.passed]
    assert len(passed) > 1
    assert choice.way == min(passed, key=Candidate.milliseconds).way
    for one in choice.candidates:
        assert one.problem is None
        assert one.pictures_per_second
        assert one.latency_ms
        if one.pictures:
            assert one.pictures == 20
            assert one.most_moved is not None
            assert one.passed == (one.most_moved <= 0.02 and one.top1_equal == 1)
        elif one.way != EXACT:
            # Spared, because something that had passed was quicker.
            assert one.milliseconds() >= min(other.milliseconds() for other in passed)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: np.roll(row, 1),
        lambda row: row + np.array([0.03, 0, 0], np.float32),
    ],
    ids=["another breed first", "a probability moved"],
)
def test_what_answers_otherwise_than_stored_is_not_chosen(folder: Path, change: Callable[[Row], Row]) -> None:
    choice = choose(folder, samples(folder, change), Limits(), "cpu")
    assert choice.way == EXACT
    assert [one.way for one in choice.candidates if one.passed] == [EXACT]
    # Each engine that answered otherwise had its chance with the input that is nearer to validation's.
    tried = {one.way: one.pictures for one in choice.candidates}
    for way, pictures in tried.items():
        if way.engine == "openvino" and pictures and way.input != "exact":
            nearer: InputName = "two_steps" if way.input == "direct" else "exact"
            assert replace(way, input=nearer) in tried


def test_an_engine_that_does_not_run_here_is_told_and_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Way("cuda_graphs", "bf16", "direct")
    monkeypatch.setattr("ml.serve.choice.quick_ways", lambda *_: (elsewhere,))
    choice = choose(folder, samples(folder), Limits(), "cpu")
    assert choice.way == EXACT
    failed = next(one for one in choice.candidates if one.way == elsewhere)
    assert failed.problem
    assert "CUDA" in failed.problem
    assert Choice.read(json.loads(json.dumps(choice.content()))) == choice


def test_a_broken_model_has_no_way(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointInvalid):
        choose(folder, [], Limits(), "cpu")


@pytest.mark.parametrize(("flag", "formats"), [("avx512_bf16", ["bf16", "fp32"]), ("avx2", ["fp32"])])
def test_formats_that_the_processor_only_emulates_are_not_tried(
    flag: str, formats: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.learn.precision.cpu_flags", lambda: frozenset({flag}))
    ways = quick_ways(EXACT, torch.device("cpu"))
    assert [way.precision for way in ways if way.engine == "openvino" and way.streams == ways[0].streams] == formats
    assert ways[-1] == Way("torch", "fp32", "direct")
    assert all(way.input == "direct" for way in ways)


def test_all_is_held_to_what_fp32_says_and_the_first_breed_may_be_either() -> None:
    stored, unrounded = (np.array([row, [0.9, 0.1]], np.float32) for row in ([0.52, 0.48], [0.49, 0.51]))
    between, beyond = (np.array([row, [0.9, 0.1]], np.float32) for row in ([0.505, 0.495], [0.47, 0.53]))
    assert apart(between, stored, unrounded) == pytest.approx((1, 0.015), abs=1e-6)
    assert apart(beyond, stored, unrounded) == pytest.approx((1, 0.02), abs=1e-6)
    assert apart(beyond, stored, stored) == pytest.approx((0.5, 0.05), abs=1e-6)


def moved(rows: NDArray[np.float32], *, by: float, everywhere: float = 0.0) -> NDArray[np.float32]:
    """One probability by so much, all others by a little, up and down."""
    signs = np.where(np.arange(rows.size) % 2, 1, -1).reshape(rows.shape)
    found = rows + everywhere * signs
    found[0, 0] = rows[0, 0] + by
    return found.astype(np.float32)


@pytest.mark.parametrize(
    ("own", "way", "near"),
    [
        pytest.param((0.0, 0.0), (0.0199, 0.0), True, id="exact run, a little"),
        pytest.param((0.0, 0.0), (0.0201, 0.0), False, id="exact run, more"),
        pytest.param((0.017, 0.001), (0.035, 0.001), True, id="the same noise, another farthest"),
        pytest.param((0.017, 0.001), (0.041, 0.001), False, id="too far for any noise"),
        pytest.param((0.017, 0.001), (0.035, 0.003), False, id="noisier on the whole"),
        pytest.param((0.017, 0.001), (0.0199, 0.01), True, id="noisier, and never far"),
        pytest.param((np.nan, 0.001), (0.03, 0.001), False, id="stored is no number"),
        pytest.param((0.017, 0.001), (np.nan, 0.001), False, id="found is no number"),
    ],
)
def test_a_way_may_be_as_far_from_fp32_as_the_runs_own_format_on_the_whole(
    own: tuple[float, float], way: tuple[float, float], near: bool
) -> None:
    unrounded = np.full((200, 37), 1 / 37, np.float32)
    stored, found = (moved(unrounded, by=by, everywhere=everywhere) for by, everywhere in (own, way))
    assert is_near(found, stored, unrounded) is near


@pytest.mark.thorough
def test_a_run_validated_in_bf16_is_held_to_fp32_too(tmp_path: Path) -> None:
    """The exact way in fp32 passes, however far bf16's noise had carried what was stored."""
    folder = write_model(tmp_path / "noisy", precision="bf16")
    sure = write_model(tmp_path / "sure", precision="fp32")
    away = samples(sure, lambda row: row + np.array([0.05, 0, -0.05], np.float32))
    openvino = [one for one in choose(folder, away, Limits(), "cpu").candidates if one.way.engine == "openvino"]
    assert [one for one in openvino if one.way.precision == "fp32" and (one.passed or one.pictures == 0)]
    assert all(one.most_moved is None or one.most_moved < 0.05 for one in openvino)


def test_what_is_no_number_is_as_far_away_as_can_be() -> None:
    row = np.array([[0.2, 0.8], [0.3, 0.7]], np.float32)
    broken = row.copy()
    broken[1] = np.nan
    for found, stored in ((broken, row), (row, broken)):
        assert apart(found, stored, stored)[1] == np.inf
