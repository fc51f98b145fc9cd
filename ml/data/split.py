"""Which images train and which validate."""

from dataclasses import dataclass

import torch

from ml.config import TrainSettings
from ml.data.given_split import Side
from ml.data.manifest import Manifest
from ml.errors import SplitUnusable


@dataclass(frozen=True)
class Split:
    """Indices of a manifest's items, each in the order of the permutation that made them."""

    train: tuple[int, ...]
    valid: tuple[int, ...]


def random_split(n: int, valid_pct: float, seed: int) -> Split:
    """A random permutation of n items, its first ``int(valid_pct * n)`` for validation (workflow-spec 1.2).

    The numbers are those of ``torch.manual_seed(seed); torch.randperm(n)``, drawn without touching torch's own state.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n, generator=generator).tolist()
    cut = int(valid_pct * n)
    return Split(train=tuple(order[cut:]), valid=tuple(order[:cut]))


def choose_split(manifest: Manifest, config: TrainSettings) -> Split:
    """The given split of a dataset where it has one and the config does not say otherwise, else a random one.

    What is given for test is on neither side of either. A given split without a validation side keeps its test side,
    and the rest is split at random.
    """
    sides = manifest.sides
    if sides is not None and sides["valid"] and config.split == "given":
        return Split(train=_on(manifest, "train"), valid=_on(manifest, "valid"))
    pool = [i for i, item in enumerate(manifest.items) if item.split != "test"]
    split = random_split(len(pool), config.valid_pct, config.split_seed)
    return Split(train=tuple(pool[i] for i in split.train), valid=tuple(pool[i] for i in split.valid))


def _on(manifest: Manifest, side: Side) -> tuple[int, ...]:
    """The items of a given side; those of none are for training."""
    return tuple(i for i, item in enumerate(manifest.items) if (item.split or "train") == side)


def make_split(manifest: Manifest, config: TrainSettings) -> Split:
    """As choose_split, and check that it can be trained and validated on.

    Raises:
        SplitUnusable: a side is empty, or a breed occurs only on the validation side.
    """
    split = choose_split(manifest, config)
    for side, indices in (("training", split.train), ("validation", split.valid)):
        if not indices:
            detail = f"valid_pct {config.valid_pct} of {len(manifest.items)} items leaves none for {side}"
            raise SplitUnusable(detail, hint="Add images, or choose another valid_pct.")
    _check_breeds(manifest, split)
    return split


def training_pictures(manifest: Manifest, config: TrainSettings) -> frozenset[str]:
    """The sha256 (hex) of every image on the training side.

    Raises:
        SplitUnusable: as :func:`make_split`.
    """
    return frozenset(manifest.items[i].sha256 for i in make_split(manifest, config).train)


def _check_breeds(manifest: Manifest, split: Split) -> None:
    trained = {manifest.items[index].label for index in split.train}
    for index in split.valid:
        item = manifest.items[index]
        if item.label not in trained:
            detail = f"the breed {item.label!r} occurs only in the validation set (for example {item.path})"
            raise SplitUnusable(detail, hint=_hint(manifest, item.label))


def _hint(manifest: Manifest, label: str) -> str:
    other = "another split_seed" if manifest.sides is None else 'split "random" in place of the given split'
    return f"Add images of {label}, or choose {other}."
