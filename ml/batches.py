"""Batches out of the presized cache: order, draws and tensors, each a function of the seed and the step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ml.augment import Recipe, draw_recipe, training_input, validation_input
from ml.cache import PresizedCache
from ml.config import ResolvedConfig
from ml.errors import BatchTooLarge
from ml.seed import generator
from ml.split import Split


@dataclass(frozen=True)
class Drawn:
    """A training batch before it is drawn on the device: uint8 pictures [n,S,S,3], targets [n], their changes."""

    pictures: Tensor
    targets: Tensor
    recipe: Recipe


class TrainingBatches:
    """The shuffled, augmented training side; an incomplete last batch is dropped."""

    def __init__(self, cache: PresizedCache, labels: Sequence[int], split: Split, config: ResolvedConfig) -> None:
        self.per_epoch = len(split.train) // config.batch_size
        if self.per_epoch == 0:
            detail = f"{len(split.train)} training images are fewer than one batch of {config.batch_size}"
            raise BatchTooLarge(detail, hint=f"Set batch_size to {len(split.train)} or less.")
        self._cache, self._config = cache, config
        self._items = torch.tensor(split.train)
        self._labels = torch.tensor(labels)

    def draw(self, step: int) -> Drawn:
        """Gather the pictures of global step ``step`` (from 0) and draw their changes."""
        config = self._config
        epoch, number = divmod(step, self.per_epoch)
        order = torch.randperm(len(self._items), generator=generator(config.seed, "order", epoch))
        items = self._items[order[number * config.batch_size : (number + 1) * config.batch_size]]
        chance = generator(config.seed, "augment", step)
        positions = torch.rand(len(items), generator=chance)
        recipe = draw_recipe(len(items), config.augment, config.min_scale, chance)
        return Drawn(gather(self._cache, items.tolist(), positions.tolist()), self._labels[items], recipe)

    def load(self, drawn: Drawn, device: torch.device) -> tuple[Tensor, Tensor]:
        """Input float32 [n,3,size,size] and targets [n], on the device."""
        pictures = drawn.pictures.to(device, non_blocking=True)
        return training_input(pictures, drawn.recipe, self._config.size), drawn.targets.to(device)


class ValidationBatches:
    """The validation side, in the split's own order, the last batch as large as it comes."""

    def __init__(
        self, cache: PresizedCache, labels: Sequence[int], items: Sequence[int], config: ResolvedConfig
    ) -> None:
        self._cache, self._config, self._items = cache, config, list(items)
        self._labels = labels

    @property
    def targets(self) -> Tensor:
        """Label ids [n] of all items, in order."""
        return torch.tensor([self._labels[i] for i in self._items])

    def load(self, device: torch.device) -> Iterator[Tensor]:
        """Inputs float32 [≤ batch_size,3,size,size], batch by batch."""
        step = self._config.batch_size
        for first in range(0, len(self._items), step):
            pictures = gather(self._cache, self._items[first : first + step], None)
            yield validation_input(pictures.to(device), self._config.size)


def gather(cache: PresizedCache, items: Sequence[int], positions: Sequence[float] | None) -> Tensor:
    """uint8 [n,S,S,3]: each item's window at its position along the long side, or its centre."""
    out = np.empty((len(items), cache.size, cache.size, 3), dtype=np.uint8)
    cache.gather(items, positions, out)
    return torch.from_numpy(out)
