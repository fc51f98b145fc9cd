"""What is to be added to a trained model: the new breeds, their photos, and what these are held beside."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ml.config import ResolvedConfig
from ml.data.bundle import ImageSource
from ml.data.manifest import Manifest
from ml.data.near_duplicates import find_near_duplicates
from ml.data.split import Split, make_split
from ml.errors import DatasetUnusable
from ml.judge.folds import Rows, folds_of_few
from ml.learn.new_rows import TrainedRows
from ml.learn.predictions import label_ids
from ml.reading.added import LEAST_PHOTOS


@dataclass(frozen=True)
class NewPhotos:
    """A dataset whose breeds are all new."""

    manifest: Manifest
    source: ImageSource

    @property
    def items(self) -> list[int]:
        """Those that may be learned from."""
        return [place for place, item in enumerate(self.manifest.items) if item.split != "test"]


@dataclass(frozen=True)
class Addition:
    """The new breeds beside the trained ones; class ids are positions in ``vocab``.

    Attributes:
        config: of the run that has them; ``added`` are those of ``fresh``, in the same order.
        manifest: the dataset that the network was trained on.
        fresh: the datasets of the new breeds. Where some were added before, their rows are fitted again beside.
    """

    config: ResolvedConfig
    manifest: Manifest
    fresh: Sequence[NewPhotos]

    @cached_property
    def vocab(self) -> tuple[str, ...]:
        """All breeds that the model knows afterwards."""
        return self.config.vocab(self.manifest.vocab)

    @cached_property
    def vocab_before(self) -> tuple[str, ...]:
        """Those that the parent knows."""
        return self.config.model_copy(update={"added": self.config.added[:-1]}).vocab(self.manifest.vocab)

    @cached_property
    def new(self) -> list[int]:
        """The class ids of the new breeds."""
        return sorted(set(range(len(self.vocab))) - set(self.places_of(self.manifest.vocab)))

    @cached_property
    def split(self) -> Split:
        """The same that the network was trained and validated with."""
        return make_split(self.manifest, self.config)

    @property
    def valid_targets(self) -> Tensor:
        """The class ids of the validation side, [n]."""
        return self._targets(self.manifest, self.split.valid)

    def learned_targets(self, targets: Tensor) -> Tensor:
        """Class ids, [n], from those among the breeds of the dataset alone."""
        return torch.tensor(self.places_of(self.manifest.vocab))[targets]

    @property
    def new_targets(self) -> Tensor:
        """The class ids of the new photos, [n], one dataset's after the other's."""
        return torch.cat([self._targets(one.manifest, one.items) for one in self.fresh])

    def places_of(self, breeds: Sequence[str]) -> list[int]:
        """Their class ids."""
        place = {breed: number for number, breed in enumerate(self.vocab)}
        return [place[breed] for breed in breeds]

    def trained(self, last_layer: Tensor) -> TrainedRows:
        """What stays of the parent's last layer, [classes before, read]."""
        at = [self.vocab_before.index(breed) for breed in self.manifest.vocab]
        return TrainedRows(
            last_layer.detach()[at].double(),
            torch.tensor(self.places_of(self.manifest.vocab)),
            torch.tensor(self.new),
        )

    @cached_property
    def shots(self) -> list[int]:
        """A number for each new photo, [n], the same for near-duplicates."""
        found: list[int] = []
        first = 0
        for one in self.fresh:
            found += [first + shot for shot in _shots(one.manifest, one.items)]
            first += len(one.manifest.items)
        return found

    @cached_property
    def folds(self) -> Rows:
        """The fold of each new photo, [n]; near-duplicates are in the same."""
        return folds_of_few(self.new_targets.tolist(), self.shots)

    def check(self) -> None:
        """Hold that each new breed has photos enough; near-duplicates count once.

        Raises:
            DatasetUnusable: one has fewer than ``LEAST_PHOTOS``.
        """
        shots = set(zip(self.new_targets.tolist(), self.shots, strict=True))
        counts = Counter(target for target, _ in shots)
        for place in self.new:
            if counts[place] < LEAST_PHOTOS:
                detail = f"the new breed {self.vocab[place]!r} has too few photos to learn from: {counts[place]}"
                raise DatasetUnusable(detail, f"Give {LEAST_PHOTOS} or more of each new breed; 5 are a beginning.")

    def _targets(self, manifest: Manifest, items: Sequence[int]) -> Tensor:
        labels = label_ids(manifest, self.vocab)
        return torch.tensor([labels[item] for item in items])


def _shots(manifest: Manifest, items: Sequence[int]) -> list[int]:
    """A number for each item, the same for those that are one shot."""
    shot = list(range(len(manifest.items)))
    for pair in find_near_duplicates(manifest).pairs:
        one, other = shot[pair.first], shot[pair.second]
        if one != other:
            shot = [one if number == other else number for number in shot]
    return [shot[item] for item in items]
