"""What a training looks at to tell how its model answers to poor photos."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.augment.lighting import STD
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.judge import shift_weight
from ml.judge.judgement import Judgement
from ml.learn import known
from ml.learn.known import POOR_BLUR, POOR_NOISE, grainy, out_of_focus, poor_pictures
from ml.learn.predictions import LearnedPictures
from ml.learn.setup import Paths, Setup, set_up
from tests.ml.learn.test_training import Listener, config, folder, train

__all__ = ["folder"]


@pytest.fixture
def setup(folder: Path, tmp_path: Path) -> Setup:
    manifest = scan_folder(folder, LabelRule(), name="colours")
    paths = Paths(cache=tmp_path / "cache", weights=None, work=tmp_path / "work")
    return set_up(
        config(), manifest, Folder(folder, manifest), paths=paths, reporter=Listener(), device="cpu", initial=None
    )


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_weight, "FEWEST", 5)
    monkeypatch.setattr(known, "FEWEST", 5)


def nothing() -> None:
    """Nobody is told."""


def test_noise_and_blur_are_as_strong_as_stated() -> None:
    grey = torch.zeros(4, 3, 64, 64)
    spread = grainy(grey, torch.Generator().manual_seed(0)).std((0, 2, 3))
    assert (spread * torch.tensor(STD)).tolist() == pytest.approx([POOR_NOISE] * 3, rel=0.05)
    dot = torch.zeros(1, 3, 201, 201)
    dot[..., 100, 100] = 1
    (across,) = out_of_focus(dot, torch.Generator())[:, 0].sum(1)
    places = torch.arange(201) - 100
    assert float((across * places**2).sum().sqrt()) == pytest.approx(201 * POOR_BLUR, rel=0.05)


def test_too_few_validation_photos_are_not_looked_at(setup: Setup) -> None:
    assert poor_pictures(setup.model(), setup, 1, nothing, len(setup.split.valid)) is None


@pytest.mark.usefixtures("few_are_enough")
def test_the_same_poor_photos_are_looked_at_each_time_and_none_that_was_learned_from(setup: Setup) -> None:
    model, count = setup.model(), len(setup.split.valid)
    found, again = (poor_pictures(model, setup, parts, nothing, count) for parts in (1, 2))
    assert found is not None
    assert again is not None
    assert found.rows.tolist() == list(range(count))
    assert found.features == pytest.approx(again.features, abs=1e-4)
    assert not np.allclose(found.features[0], found.features[1])
    learned = LearnedPictures(setup.manifest.vocab, frozenset({setup.manifest.items[setup.split.valid[2]].sha256}))
    without = poor_pictures(model, setup, 1, nothing, count, learned)
    assert without is not None
    assert without.rows.tolist() == [row for row in range(count) if row != 2]


@pytest.mark.usefixtures("few_are_enough")
def test_a_training_chooses_the_weight_and_leaves_it_in_record_and_file(folder: Path, tmp_path: Path) -> None:
    result, _ = train(folder, tmp_path / "out", config(epochs=1))
    assert result.worth is not None
    shift = result.worth.shift
    assert shift is not None
    assert (shift.pictures, shift.choice == "too_few") == (7, False)
    assert shift.weight in shift_weight.WEIGHTS
    assert Judgement.read(result.files["judgement.safetensors"]).shift == shift
