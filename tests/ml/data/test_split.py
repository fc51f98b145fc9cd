import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml.config import TrainSettings
from ml.data.cache import INDEX, PIXELS, PresizedCache
from ml.data.given_split import Side
from ml.data.manifest import Item, Manifest
from ml.data.split import Split, choose_split, make_split, random_split
from ml.errors import BatchTooLarge, SplitUnusable
from ml.learn.batches import TrainingBatches, ValidationBatches
from ml.reading.forecast import split_sizes
from tests.ml.facts import cases


def labelled(*labels: str) -> Manifest:
    items = [
        Item(path=f"{n:03}.jpg", label=label, sha256="0" * 64, width=9, height=9, bytes=9, format="JPEG", mode="RGB")
        for n, label in enumerate(labels)
    ]
    return Manifest(name="pets", items=tuple(items))


@pytest.mark.parametrize("case", cases("split"), ids=lambda case: str(case["n"]))
def test_the_indices_are_the_originals(case: dict[str, Any]) -> None:
    split = random_split(case["n"], case["valid_pct"], case["seed"])
    assert (len(split.train), len(split.valid)) == (case["n_train"], case["n_valid"])
    assert list(split.valid) == case["valid"]
    assert list(split.train[:50]) == case["train_first50"]
    joined = ",".join(map(str, split.train))
    assert hashlib.sha256(joined.encode()).hexdigest() == case["train_sha256"]


@pytest.mark.parametrize("case", cases("split"), ids=lambda case: str(case["n"]))
def test_the_sides_make_as_many_batches_as_the_originals(case: dict[str, Any], tmp_path: Path) -> None:
    n, side = case["n"], 32
    np.save(tmp_path / INDEX, np.tile(np.array([0, side, side, 0, 0]), (n, 1)))
    np.zeros(side * side * 3, np.uint8).tofile(tmp_path / PIXELS)
    cache = PresizedCache(tmp_path, side)
    split, config = random_split(n, case["valid_pct"], case["seed"]), TrainSettings(size=side, batch_size=case["bs"])
    validation = ValidationBatches(cache, [0] * n, split.valid, config)
    assert sum(1 for _ in validation.load(torch.device("cpu"))) == case["valid_batches"]
    if case["train_batches"]:
        assert TrainingBatches(cache, [0] * n, split, config).per_epoch == case["train_batches"]
    else:
        # fastai trains on nothing, without a word.
        with pytest.raises(BatchTooLarge):
            TrainingBatches(cache, [0] * n, split, config)


def test_torchs_own_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    random_split(100, 0.2, 7)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_breed_only_in_validation_is_refused_by_name() -> None:
    labels = ["pug"] * 10
    labels[random_split(10, 0.2, 42).valid[1]] = "boxer"
    with pytest.raises(SplitUnusable, match=r"'boxer'.*006\.jpg") as caught:
        make_split(labelled(*labels), TrainSettings(valid_pct=0.2, split_seed=42))
    assert "boxer" in str(caught.value.hint)


@pytest.mark.parametrize(("n", "valid_pct", "side"), [(4, 0.2, "validation"), (1, 0.999, "validation")])
def test_an_empty_side_is_refused(n: int, valid_pct: float, side: str) -> None:
    with pytest.raises(SplitUnusable, match=f"leaves none for {side}"):
        make_split(labelled(*["pug"] * n), TrainSettings(valid_pct=valid_pct, split_seed=42))


def test_a_good_split_is_handed_over() -> None:
    manifest = labelled(*["pug", "boxer"] * 10)
    assert make_split(manifest, TrainSettings(valid_pct=0.2, split_seed=42)) == random_split(20, 0.2, 42)


def given(*sides: Side | None) -> Manifest:
    """A manifest whose items have these sides of a given split."""
    plain = labelled(*["pug", "boxer"] * (len(sides) // 2))
    items = zip(plain.items, sides, strict=True)
    return plain.model_copy(update={"items": tuple(item.model_copy(update={"split": side}) for item, side in items)})


def test_a_given_split_wins_and_its_test_side_is_on_neither() -> None:
    split = make_split(given("train", "valid", "valid", "train", None, "test"), TrainSettings(split_seed=7))
    assert split == Split(train=(0, 3, 4), valid=(1, 2))


@pytest.mark.parametrize("sides", [("train", "test") * 10, ("train", "valid", "test", "test") * 5])
def test_where_a_split_is_drawn_what_is_for_test_stays_out(sides: tuple[Side, ...]) -> None:
    manifest = given(*sides)
    config = TrainSettings(valid_pct=0.3, split="random")
    split = choose_split(manifest, config)
    pool = {number for number, side in enumerate(sides) if side != "test"}
    assert set(split.train) | set(split.valid) == pool
    assert len(split.valid) == int(0.3 * len(pool))
    assert split_sizes(len(sides), config, manifest.sides) == (len(split.train), len(split.valid))


def test_a_given_split_is_counted_as_it_is_made() -> None:
    manifest = given("train", "valid", "valid", "train", None, "test")
    split = choose_split(manifest, TrainSettings())
    assert split_sizes(6, TrainSettings(), manifest.sides) == (len(split.train), len(split.valid))
