"""Which pictures train and which validate."""

from dataclasses import dataclass

import torch

from ml.errors import SplitUnusable
from ml.manifest import Manifest


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


def make_split(manifest: Manifest, valid_pct: float, seed: int) -> Split:
    """Split a dataset and check that it can be trained and validated on.

    Raises:
        SplitUnusable: a side is empty, or a breed occurs only on the validation side.
    """
    split = random_split(len(manifest.items), valid_pct, seed)
    for side, indices in (("training", split.train), ("validation", split.valid)):
        if not indices:
            detail = f"valid_pct {valid_pct} of {len(manifest.items)} pictures leaves none for {side}"
            raise SplitUnusable(detail, hint="Add pictures, or choose another valid_pct.")
    _check_breeds(manifest, split)
    return split


def training_pictures(manifest: Manifest, valid_pct: float, seed: int) -> frozenset[str]:
    """The sha256 (hex) of every picture on the training side.

    Raises:
        SplitUnusable: as :func:`make_split`.
    """
    return frozenset(manifest.items[i].sha256 for i in make_split(manifest, valid_pct, seed).train)


def _check_breeds(manifest: Manifest, split: Split) -> None:
    trained = {manifest.items[index].label for index in split.train}
    for index in split.valid:
        item = manifest.items[index]
        if item.label not in trained:
            detail = f"the breed {item.label!r} occurs only in the validation set (for example {item.path})"
            raise SplitUnusable(detail, hint=f"Add pictures of {item.label}, or choose another split_seed.")
