import json
from pathlib import Path

import pytest

from ml.config import ResolvedConfig
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.errors import Stopped
from ml.fetch.weights import load_state
from ml.learn.setup import Paths, Setup, set_up
from ml.reporting import EpochRecord, NullReporter, Progress
from ml.serve.classifier import Classifier
from tests.ml.learn.test_trainer import check_equal
from tests.ml.learn.test_training import Listener, config, folder, train

__all__ = ["folder"]

FAST = {"recipe": "fast", "freeze_epochs": 3, "epochs": 2, "base_lr": 1e-2, "presize": 64, "size": 64}
SIZED = {**FAST, "train_size": [32, 64]}
STEPS = 3  # of an epoch


class Stages(Listener):
    """Remembers the stages in order, and the epochs."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__(stop_at)
        self.stages: list[str] = []
        self.epochs: list[tuple[int, int]] = []

    def on_progress(self, progress: Progress) -> None:
        super().on_progress(progress)
        if self.stages[-1:] != [progress.stage]:
            self.stages.append(progress.stage)

    def on_epoch(self, epoch: EpochRecord) -> None:
        self.epochs.append((epoch.phase, epoch.epoch))


def test_the_head_learns_from_features_and_then_the_whole_network_from_photos(folder: Path, tmp_path: Path) -> None:
    told = Stages()
    result, _ = train(folder, tmp_path / "out", config(**SIZED), told)
    assert told.epochs == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert told.stages[told.stages.index("features") :][:2] == ["features", "train"]
    assert told.stages.count("features") == 1
    probe, _ = train(folder, tmp_path / "probe", config(**{**SIZED, "recipe": "probe", "lr_max": 1e-2, **NO_FAST}))
    fast, head = (load_state(one.files["model.safetensors"]) for one in (result, probe))
    assert any(not fast[name].equal(head[name]) for name in head if name.startswith("0."))


NO_FAST = {"freeze_epochs": None, "base_lr": None}


def test_what_it_serves_is_what_it_measured_at_the_larger_size(folder: Path, tmp_path: Path) -> None:
    result, _ = train(folder, tmp_path / "out", config(**SIZED))
    about = json.loads(result.files["model.json"].read_text())
    assert (about["size"], about["epochs"]) == (64, 5)
    served = Classifier.load(tmp_path / "out", "cpu")
    for line in result.files["predictions.jsonl"].read_text().splitlines():
        row = json.loads(line)
        picture = served.prepare((folder / row["path"]).read_bytes(), Limits())
        stored = list(row["probabilities"].values())
        assert served.scores(list(served.run([picture]))) == pytest.approx(stored, abs=0.02)


@pytest.mark.parametrize("stop_at", [2, 3 * STEPS, 3 * STEPS + 1])
@pytest.mark.parametrize("added", [{}, {"weight_averaging": 0.9, "patience": 1, "cutmix": 1.0}], ids=["plain", "added"])
def test_wherever_it_is_stopped_it_goes_on_to_the_same_model(
    stop_at: int, added: dict[str, object], folder: Path, tmp_path: Path
) -> None:
    chosen = config(**SIZED, **added)
    whole, _ = train(folder, tmp_path / "whole", chosen)
    with pytest.raises(Stopped):
        train(folder, tmp_path / "parts", chosen, Listener(stop_at=stop_at))
    parts, _ = train(folder, tmp_path / "parts", chosen)
    for name in ("model.safetensors", "predictions.jsonl"):
        assert whole.files[name].read_bytes() == parts.files[name].read_bytes()


def test_once_the_head_is_done_nobody_runs_the_body_for_it_again(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(folder, tmp_path / "out", config(**FAST), Listener(stop_at=3 * STEPS + 1))
    again = Stages()
    train(folder, tmp_path / "out", config(**FAST), again)
    assert "features" not in again.stages


def test_a_rate_is_searched_on_features_once_and_serves_both_phases(folder: Path, tmp_path: Path) -> None:
    told = Listener()
    sweep = {"start_lr": 1e-4, "steps": 60, "sweeps": 2}
    train(folder, tmp_path / "out", config(**{**FAST, "base_lr": "auto"}, lr_sweep=sweep), told)
    assert [found.phase for found in told.rates] == [0]


@pytest.mark.parametrize(
    ("recipe", "first"), [(SIZED, 3 * STEPS), ({"size": 64, "presize": 64, "train_size": [32, 64]}, 0)]
)
def test_the_photos_of_a_training_grow_and_the_measured_ones_do_not(
    recipe: dict[str, object], first: int, folder: Path, tmp_path: Path
) -> None:
    chosen = config(**recipe)
    setup = prepared(folder, tmp_path, chosen)
    last = chosen.epochs * setup.training.per_epoch
    sides = [setup.training.load(setup.training.sample(step), setup.device)[0].shape[2:] for step in (first, last - 1)]
    assert sides == [(32, 32), (64, 64)]
    assert setup.training.held_at(first).sample(last - 1).size == 32
    assert next(setup.validation.load(setup.device)).shape[2:] == (64, 64)


def prepared(folder: Path, tmp_path: Path, chosen: ResolvedConfig) -> Setup:
    manifest = scan_folder(folder, LabelRule(), name="colours")
    paths = Paths(cache=tmp_path / "cache", weights=None, work=tmp_path)
    return set_up(
        chosen, manifest, Folder(folder, manifest), paths=paths, reporter=NullReporter(), device="cpu", initial=None
    )


def test_a_size_of_training_that_is_that_of_measuring_changes_no_bit(folder: Path, tmp_path: Path) -> None:
    usual, _ = train(folder, tmp_path / "usual", config())
    for asked in (32, [32, 32], 512):
        other, _ = train(folder, tmp_path / str(asked), config(train_size=asked))
        files = (one.files["model.safetensors"] for one in (usual, other))
        check_equal(*map(load_state, files))
