import hashlib

import pytest
import torch

from ml.errors import SplitUnusable
from ml.manifest import Item, Manifest
from ml.split import make_split, random_split
from tests.ml.facts import cases


def labelled(*labels: str) -> Manifest:
    items = [
        Item(path=f"{n:03}.jpg", label=label, sha256="0" * 64, width=9, height=9, bytes=9, format="JPEG", mode="RGB")
        for n, label in enumerate(labels)
    ]
    return Manifest(name="pets", items=tuple(items))


@pytest.mark.parametrize("case", cases("split"), ids=lambda case: str(case["n"]))
def test_the_indices_are_the_originals(case: dict[str, object]) -> None:
    n, valid_pct, seed = int(str(case["n"])), float(str(case["valid_pct"])), int(str(case["seed"]))
    split = random_split(n, valid_pct, seed)
    assert list(split.valid) == case["valid"]
    joined = ",".join(map(str, split.train))
    assert hashlib.sha256(joined.encode()).hexdigest() == case["train_sha256"]


def test_torchs_own_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    random_split(100, 0.2, 7)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_breed_only_in_validation_is_refused_by_name() -> None:
    labels = ["pug"] * 10
    labels[random_split(10, 0.2, 42).valid[1]] = "boxer"
    with pytest.raises(SplitUnusable, match=r"'boxer'.*006\.jpg") as caught:
        make_split(labelled(*labels), 0.2, 42)
    assert "boxer" in str(caught.value.hint)


@pytest.mark.parametrize(("n", "valid_pct", "side"), [(4, 0.2, "validation"), (1, 0.999, "validation")])
def test_an_empty_side_is_refused(n: int, valid_pct: float, side: str) -> None:
    with pytest.raises(SplitUnusable, match=f"leaves none for {side}"):
        make_split(labelled(*["pug"] * n), valid_pct, 42)


def test_a_good_split_is_handed_over() -> None:
    manifest = labelled(*["pug", "boxer"] * 10)
    assert make_split(manifest, 0.2, 42) == random_split(20, 0.2, 42)
