"""The stored predictions: JSON that every reader takes."""

import json
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from ml.config import LossName
from ml.data.manifest import Item, LabelRule, Manifest
from ml.learn.predictions import read_averages, read_logits
from ml.run_files import PREDICTIONS


def refuse(word: str) -> NoReturn:
    raise AssertionError(word)


def rows(folder: Path) -> list[dict[str, object]]:
    lines = (folder / PREDICTIONS).read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


def manifest() -> Manifest:
    made = {"width": 40, "height": 40, "bytes": 9, "format": "JPEG", "mode": "RGB"}
    items = [
        Item(path=f"{breed}_{n}.jpg", label=breed, sha256=f"{n:064x}", **made)
        for n, breed in enumerate(("Birman", "pug"))
    ]
    return Manifest(name="pets", rule=LabelRule(), items=tuple(items))


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_saturated_averages_have_finite_losses(tmp_path: Path, loss: LossName) -> None:
    certain = torch.tensor([[0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    reading = read_averages(loss, certain, manifest(), (0, 1), tmp_path)
    wrong, right = rows(tmp_path)
    assert isinstance(wrong["loss"], float)
    assert (wrong["predicted"], right["loss"]) == ("pug", 0)
    assert reading.valid_loss == pytest.approx(wrong["loss"] / 2)


def test_a_figure_that_is_no_number_is_null(tmp_path: Path) -> None:
    reading = read_logits(
        "cross_entropy", torch.tensor([[float("nan"), 0.0], [0.0, 1.0]]), manifest(), (0, 1), tmp_path
    )
    broken, whole = rows(tmp_path)
    assert (broken["loss"], broken["probability_predicted"], broken["path"]) == (None, None, "Birman_0.jpg")
    assert broken["probabilities"] == {"Birman": None, "pug": None}
    assert whole["loss"] == reading.items[1]["loss"]
