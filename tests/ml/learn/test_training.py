import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml.config import ResolvedConfig, resolve, train_config
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.errors import (
    BatchTooLarge,
    DeviceUnavailable,
    LossDiverged,
    PrecisionUnsupported,
    Stopped,
    SweepTooShort,
    WeightsMissing,
    batch_hint,
)
from ml.learn.checkpoint import LocalKeeper
from ml.learn.examine import interpret
from ml.learn.precision import choose_precision, cpu_flags
from ml.learn.setup import Paths
from ml.learn.training import FitResult, fit
from ml.reporting import NullReporter, Plan, Progress, RateRecord
from ml.serve.classifier import Classifier

SMALL = {"arch": "resnet18", "pretrained": False, "presize": 40, "size": 32, "batch_size": 8, "precision": "fp32"}


class Listener(NullReporter):
    """Remembers the plan and the last step; stops at a step where one is given."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.plans: list[Plan] = []
        self.rates: list[RateRecord] = []
        self.logs: list[str] = []
        self.stop_at, self.step = stop_at, 0

    def on_plan(self, plan: Plan) -> None:
        self.plans.append(plan)

    def on_progress(self, progress: Progress) -> None:
        if progress.stage == "train":
            self.step = progress.step

    def on_rate(self, found: RateRecord) -> None:
        self.rates.append(found)

    def on_log(self, message: str) -> None:
        self.logs.append(message)

    def should_stop(self) -> bool:
        return self.stop_at is not None and self.step >= self.stop_at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three breeds that differ in colour, 12 pictures each."""
    found = tmp_path / "pictures"
    found.mkdir()
    chance = np.random.default_rng(0)
    for breed, colour in {"Birman": (200, 60, 60), "pug": (60, 200, 60), "boxer": (60, 60, 200)}.items():
        for number in range(12):
            noise = chance.integers(-40, 40, (48 + number, 64, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(found / f"{breed}_{number}.jpg")
    return found


def config(**changes: object) -> ResolvedConfig:
    fields = {**SMALL, "epochs": 2, **changes}
    return resolve(train_config.validate_python({name: one for name, one in fields.items() if one is not None}))


def train(
    folder: Path,
    out: Path,
    chosen: ResolvedConfig,
    listener: Listener | None = None,
    device: str = "cpu",
    accumulation: int = 1,
) -> tuple[FitResult, Manifest]:
    manifest = scan_folder(folder, LabelRule(), name="colours")
    result = fit(
        chosen,
        manifest,
        Folder(folder, manifest),
        paths=Paths(cache=folder.parent / "cache", weights=None, work=out),
        reporter=listener or Listener(),
        keeper=LocalKeeper(out / "kept"),
        device=device,
        accumulation=accumulation,
    )
    return result, manifest


def test_a_run_learns_and_leaves_what_serving_and_reading_need(folder: Path, tmp_path: Path) -> None:
    listener = Listener()
    result, manifest = train(folder, tmp_path / "out", config(epochs=4), listener)
    assert sorted(result.files) == [
        "features.safetensors",
        "judgement.safetensors",
        "model.json",
        "model.safetensors",
        "predictions.jsonl",
    ]
    assert result.reading.error_rate < 0.5
    assert sum(map(sum, result.reading.matrix)) == listener.plans[0].valid_items == 7
    assert listener.plans[0].weights_file is None
    about = json.loads(result.files["model.json"].read_text())
    assert about["vocab"] == ["Birman", "boxer", "pug"]
    assert about["dataset"] == {"name": "colours", "revision": manifest.revision}
    classifier = Classifier.load(tmp_path / "out", "cpu")
    rows = [json.loads(line) for line in result.files["predictions.jsonl"].read_text().splitlines()]
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        served = classifier.scores(
            list(classifier.run([classifier.prepare((folder / row["path"]).read_bytes(), Limits())]))
        )
        assert served == pytest.approx(list(row["probabilities"].values()), abs=0.02)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> bytes:
        result, _ = train(folder, tmp_path / name, config(epochs=1, seed=seed))
        return result.files["model.safetensors"].read_bytes()

    first = weights("a", 1)
    torch.rand(5)  # what happens outside does not shift a run's draws
    assert weights("b", 1) == first
    assert weights("c", 2) != first


def test_a_run_stopped_in_the_middle_resumes_to_the_same_weights(folder: Path, tmp_path: Path) -> None:
    whole, _ = train(folder, tmp_path / "whole", config())
    with pytest.raises(Stopped):
        train(folder, tmp_path / "cut", config(), Listener(stop_at=4))
    listener = Listener()
    cut, _ = train(folder, tmp_path / "cut", config(), listener)
    assert listener.plans[0].resumed_from_step == 4
    assert cut.files["model.safetensors"].read_bytes() == whole.files["model.safetensors"].read_bytes()
    assert cut.reading == whole.reading


@pytest.mark.thorough
def test_a_renewed_interpretation_equals_the_one_of_training(folder: Path, tmp_path: Path) -> None:
    result, manifest = train(folder, tmp_path / "out", config(epochs=1))
    renewed = interpret(
        config(epochs=1),
        manifest,
        Folder(folder, manifest),
        paths=Paths(cache=tmp_path / "cache", weights=None, work=tmp_path / "again"),
        reporter=Listener(),
        model=tmp_path / "out",
        device="cpu",
    )
    assert renewed.reading == result.reading


@pytest.mark.thorough
def test_a_parent_s_weights_are_where_a_child_run_starts(folder: Path, tmp_path: Path) -> None:
    parent, manifest = train(folder, tmp_path / "parent", config(epochs=3))
    still = config(recipe="one_cycle", epochs=1, lr_max=1e-12, freeze=False, weight_decay=0)
    child = fit(
        still.model_copy(update={"pretrained": True}),
        manifest,
        Folder(folder, manifest),
        paths=Paths(cache=tmp_path / "cache", weights=None, work=tmp_path / "child"),
        reporter=Listener(),
        keeper=LocalKeeper(tmp_path / "child" / "kept"),
        device="cpu",
        initial=parent.files["model.safetensors"],
    )
    assert child.reading.error_rate <= parent.reading.error_rate + 0.3


def test_too_large_a_batch_names_both_numbers_before_the_pictures_are_presized(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BatchTooLarge, match="29 training images are fewer than one batch of 64"):
        train(folder, tmp_path / "out", config(batch_size=64))
    assert not (tmp_path / "cache").exists()


def test_a_batch_that_cannot_be_made_small_enough_is_not_advised() -> None:
    assert batch_hint(2) == "Set batch_size to 2 or less."
    assert batch_hint(1) == batch_hint(0) == "Lower valid_pct, or add photos."


def test_a_huge_rate_ends_in_loss_diverged(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LossDiverged, match="learning rate"):
        train(folder, tmp_path / "out", config(base_lr=1e9, epochs=20))


def test_missing_weights_are_an_error_and_not_a_silent_start_from_scratch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(WeightsMissing) as raised:
        train(folder, tmp_path / "out", config(pretrained=True))
    assert raised.value.hint is not None


def test_fp16_on_a_cpu_is_refused_with_the_reason(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PrecisionUnsupported, match="loss scaling"):
        train(folder, tmp_path / "out", config(precision="fp16"))


def test_bf16_is_chosen_where_the_cpu_has_it_and_the_reason_is_told(tmp_path: Path) -> None:
    assert "avx512_bf16" in cpu_flags(_cpuinfo(tmp_path, "fpu avx512_bf16"))
    assert cpu_flags(tmp_path / "nowhere") == frozenset()
    chosen = choose_precision("auto", torch.device("cpu"))
    assert chosen.name == ("bf16" if {"avx512_bf16", "amx_bf16"} & cpu_flags() else "fp32")
    assert "CPU" in chosen.reason


def _cpuinfo(tmp_path: Path, flags: str) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    return path


@pytest.mark.parametrize("device", ["cuda"])
def test_an_absent_device_is_named(folder: Path, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceUnavailable, match="no CUDA device"):
        train(folder, tmp_path / "out", config(), device=device)


@pytest.mark.thorough
def test_binary_cross_entropy_learns_and_scores_each_breed_on_its_own(folder: Path, tmp_path: Path) -> None:
    result, _ = train(folder, tmp_path / "out", config(loss="binary_cross_entropy", epochs=6))
    assert result.reading.error_rate < 0.5
    assert result.reading.valid_loss < 0.6931  # ln 2: what knowing nothing costs
    rows = [json.loads(line) for line in result.files["predictions.jsonl"].read_text().splitlines()]
    assert max(abs(sum(row["probabilities"].values()) - 1) for row in rows) > 0.01
    assert json.loads(result.files["model.json"].read_text())["loss"] == "binary_cross_entropy"


@pytest.mark.thorough
def test_a_rate_left_to_a_search_is_found_on_the_pictures_and_recorded(folder: Path, tmp_path: Path) -> None:
    listener = Listener()
    sweep = {"steps": 60, "sweeps": 2, "start_lr": 1e-5}
    auto, _ = train(folder, tmp_path / "auto", config(base_lr="auto", epochs=1, lr_sweep=sweep), listener)
    assert [found.phase for found in listener.rates] == [0]
    rate = listener.rates[0].rate
    assert rate is not None
    given, _ = train(folder, tmp_path / "given", config(base_lr=rate, epochs=1, lr_sweep=sweep))
    names = ("model.safetensors", "predictions.jsonl")
    assert [auto.files[name].read_bytes() for name in names] == [given.files[name].read_bytes() for name in names]


STILL = {"steps": 24, "sweeps": 1, "start_lr": 1e-12, "end_lr": 1e-11}
"""A search that can have no answer."""


@pytest.mark.thorough
def test_what_the_head_learned_is_kept_where_the_search_after_it_has_no_answer(folder: Path, tmp_path: Path) -> None:
    head = {"freeze": True, "epochs": 2}
    whole = {"freeze": False, "epochs": 1, "lr_max": "auto"}
    both, listener = config(recipe="phases", phases=[head, whole], lr_sweep=STILL, epochs=None), Listener()
    cut, _ = train(folder, tmp_path / "both", both, listener)
    assert cut.failure is not None
    assert (cut.failure.code, "before phase 2" in cut.failure.detail) == ("no_rate_found", True)
    assert str(cut.failure.hint).startswith("Give the rate as a number")
    assert [(found.phase, found.rate) for found in listener.rates] == [(1, None)]
    alone, _ = train(folder, tmp_path / "alone", config(recipe="phases", phases=[head], epochs=None))
    assert alone.failure is None
    assert cut.reading == alone.reading
    for name in ("model.safetensors", "predictions.jsonl"):
        assert cut.files[name].read_bytes() == alone.files[name].read_bytes()
    assert json.loads(cut.files["model.json"].read_text())["epochs"] == 2
    # the same again, from the checkpoint at the head's end
    again, _ = train(folder, tmp_path / "both", both)
    assert again.failure is not None
    assert again.reading == cut.reading


def test_a_sweep_too_short_to_see_anything_is_refused_before_the_pictures_are_read(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(SweepTooShort):
        train(folder, tmp_path / "out", config(base_lr="auto", lr_sweep={"steps": 5}))
    assert not (tmp_path / "cache").exists()


EVERYTHING = {
    "label_smoothing": 0.1,
    "mixup": 0.4,
    "cutmix": 1.0,
    "erase": 0.5,
    "balance_loss": 0.5,
    "balance_sampling": 0.5,
    "weight_averaging": 0.9,
    "trivial_augment": True,
    "patience": 1,
    "layer_decay": 0.7,
}


@pytest.mark.thorough
def test_with_all_that_can_be_added_a_resumed_run_is_still_the_same_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    chosen = config(epochs=2, **EVERYTHING)
    whole, _ = train(folder, tmp_path / "whole", chosen)
    with pytest.raises(Stopped):
        train(folder, tmp_path / "parts", chosen, Listener(stop_at=5))
    parts, _ = train(folder, tmp_path / "parts", chosen)
    for name in ("model.safetensors", "predictions.jsonl"):
        assert whole.files[name].read_bytes() == parts.files[name].read_bytes()
    plain, _ = train(folder, tmp_path / "plain", config(epochs=2))
    assert whole.files["model.safetensors"].read_bytes() != plain.files["model.safetensors"].read_bytes()


@pytest.mark.thorough
def test_the_mean_of_the_weights_is_what_is_measured_and_served(folder: Path, tmp_path: Path) -> None:
    mean, _ = train(folder, tmp_path / "out", config(epochs=3, weight_averaging=0.9))
    last, _ = train(folder, tmp_path / "last", config(epochs=3))
    served = Classifier.load(tmp_path / "out", "cpu")
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    picture = served.prepare((folder / rows[0]["path"]).read_bytes(), Limits())
    assert served.scores(list(served.run([picture]))) == pytest.approx(
        list(rows[0]["probabilities"].values()), abs=0.02
    )
    assert last.reading != mean.reading
