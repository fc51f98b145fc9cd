"""Trainings whose photos are smaller than those that are measured."""

import json
from pathlib import Path

import pytest

from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.errors import Stopped
from ml.fetch.weights import load_state
from ml.learn.setup import Paths, set_up
from ml.reporting import NullReporter
from ml.serve.classifier import Classifier
from tests.ml.learn.test_trainer import check_equal
from tests.ml.learn.test_training import Listener, config, folder, train

__all__ = ["folder"]

GROWN = {"presize": 64, "size": 64, "train_size": [32, 64], "epochs": 1}


def test_the_photos_of_a_training_grow_and_the_measured_ones_do_not(folder: Path, tmp_path: Path) -> None:
    chosen, manifest = config(**GROWN), scan_folder(folder, LabelRule(), name="colours")
    setup = set_up(
        chosen,
        manifest,
        Folder(folder, manifest),
        paths=Paths(cache=tmp_path / "cache", weights=None, work=tmp_path),
        reporter=NullReporter(),
        device="cpu",
        initial=None,
    )
    last = chosen.epochs * setup.training.per_epoch - 1
    sides = [setup.training.load(setup.training.sample(step), setup.device)[0].shape[2:] for step in (0, last)]
    assert sides == [(32, 32), (64, 64)]
    assert setup.training.held_at(0).sample(last).size == 32
    assert next(setup.validation.load(setup.device)).shape[2:] == (64, 64)


@pytest.mark.thorough
def test_it_serves_at_the_size_that_was_measured_and_goes_on_to_the_same_model(folder: Path, tmp_path: Path) -> None:
    chosen = config(**GROWN, patience=1, weight_averaging=0.9)
    whole, _ = train(folder, tmp_path / "whole", chosen)
    assert json.loads(whole.files["model.json"].read_text())["size"] == 64
    served = Classifier.load(tmp_path / "whole", "cpu")
    for line in whole.files["predictions.jsonl"].read_text().splitlines():
        row = json.loads(line)
        picture = served.prepare((folder / row["path"]).read_bytes(), Limits())
        stored = list(row["probabilities"].values())
        assert served.scores(list(served.run([picture]))) == pytest.approx(stored, abs=0.02)
    with pytest.raises(Stopped):
        train(folder, tmp_path / "parts", chosen, Listener(stop_at=4))
    parts, _ = train(folder, tmp_path / "parts", chosen)
    for name in ("model.safetensors", "predictions.jsonl"):
        assert whole.files[name].read_bytes() == parts.files[name].read_bytes()


@pytest.mark.thorough
def test_a_size_of_training_that_is_that_of_measuring_changes_no_bit(folder: Path, tmp_path: Path) -> None:
    results = [
        train(folder, tmp_path / str(number), config(epochs=1, **asked))[0]
        for number, asked in enumerate(({}, {"train_size": 512}))
    ]
    check_equal(*(load_state(one.files["model.safetensors"]) for one in results))
