"""Batches out of the presized cache: order, draws and tensors, each a function of the seed and the step."""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from ml.augment import Recipe, draw_recipe, training_input, validation_input
from ml.cache import PresizedCache
from ml.config import TrainSettings
from ml.errors import BatchTooLarge
from ml.seed import generator
from ml.split import Split

Made = TypeVar("Made")


@dataclass(frozen=True)
class Drawn:
    """A training batch before it is drawn on the device: uint8 pictures [n,S,S,3], targets [n], their changes."""

    pictures: Tensor
    targets: Tensor
    recipe: Recipe

    def parts(self, count: int) -> "list[Drawn]":
        """The batch cut into ``count`` parts of nearly equal size, in order."""
        if count == 1:
            return [self]
        changes = (self.recipe.homographies, self.recipe.brightness, self.recipe.contrast)
        cut = (tensor.tensor_split(count) for tensor in (self.pictures, self.targets, *changes))
        return [Drawn(pictures, targets, Recipe(*recipe)) for pictures, targets, *recipe in zip(*cut, strict=True)]

    def pinned(self) -> "Drawn":
        """The batch in page-locked memory, from which a GPU copies while it computes."""
        recipe = self.recipe
        changes = (recipe.homographies.pin_memory(), recipe.brightness.pin_memory(), recipe.contrast.pin_memory())
        return Drawn(self.pictures.pin_memory(), self.targets.pin_memory(), Recipe(*changes))


class TrainingBatches:
    """The shuffled, augmented training side; an incomplete last batch is dropped."""

    def __init__(self, cache: PresizedCache, labels: Sequence[int], split: Split, config: TrainSettings) -> None:
        self.per_epoch = len(split.train) // config.batch_size
        if self.per_epoch == 0:
            detail = f"{len(split.train)} training images are fewer than one batch of {config.batch_size}"
            raise BatchTooLarge(detail, hint=f"Set batch_size to {len(split.train)} or less.")
        self._cache, self._config = cache, config
        self._seed = config.seed
        self._items = torch.tensor(split.train)
        self._labels = torch.tensor(labels)

    def reseeded(self, seed: int) -> Self:
        """The same pictures in another order and with other changes."""
        other = copy.copy(self)
        other._seed = seed  # noqa: SLF001 - of its own class
        return other

    def draw(self, step: int) -> Drawn:
        """Gather the pictures of global step ``step`` (from 0) and draw their changes."""
        config = self._config
        epoch, number = divmod(step, self.per_epoch)
        order = torch.randperm(len(self._items), generator=generator(self._seed, "order", epoch))
        items = self._items[order[number * config.batch_size : (number + 1) * config.batch_size]]
        chance = generator(self._seed, "augment", step)
        positions = torch.rand(len(items), generator=chance)
        recipe = draw_recipe(len(items), config.augment, config.min_scale, chance)
        return Drawn(gather(self._cache, items.tolist(), positions.tolist()), self._labels[items], recipe)

    def load(self, drawn: Drawn, device: torch.device) -> tuple[Tensor, Tensor]:
        """Input float32 [n,3,size,size] and targets [n], on the device."""
        pictures = drawn.pictures.to(device, non_blocking=True)
        return training_input(pictures, drawn.recipe, self._config.size), drawn.targets.to(device, non_blocking=True)


class ValidationBatches:
    """The validation side, in the split's own order, the last batch as large as it comes."""

    def __init__(
        self, cache: PresizedCache, labels: Sequence[int], items: Sequence[int], config: TrainSettings
    ) -> None:
        self._cache, self._config, self._items = cache, config, list(items)
        self._labels = labels

    @property
    def targets(self) -> Tensor:
        """Label ids [n] of all items, in order."""
        return torch.tensor([self._labels[i] for i in self._items])

    def load(self, device: torch.device, parts: int = 1) -> Iterator[Tensor]:
        """Inputs float32 [≤ batch_size / parts,3,size,size], batch by batch."""
        step = -(-self._config.batch_size // parts)

        def gathered(first: int) -> Tensor:
            pictures = gather(self._cache, self._items[first : first + step], None)
            return pictures if device.type == "cpu" else pictures.pin_memory()

        with one_ahead(gathered, range(0, len(self._items), step), device) as batches:
            for pictures in batches:
                yield validation_input(pictures.to(device, non_blocking=True), self._config.size)


def drawn_ahead(
    batches: TrainingBatches, first: int, end: int, device: torch.device
) -> AbstractContextManager[Iterator[Drawn]]:
    """The batches of steps ``first`` to ``end``; beside a GPU the next one is gathered while this one trains."""

    def drawn(step: int) -> Drawn:
        batch = batches.draw(step)
        return batch if device.type == "cpu" else batch.pinned()

    return one_ahead(drawn, range(first, end), device)


@contextmanager
def one_ahead(make: Callable[[int], Made], numbers: range, device: torch.device) -> Iterator[Iterator[Made]]:
    """``make`` of each number in order; beside a GPU the next one is made by a thread while this one is used."""
    if device.type == "cpu":
        yield map(make, numbers)
        return
    with ThreadPoolExecutor(1) as thread:
        yield _made_ahead(thread, make, numbers)


def _made_ahead(thread: ThreadPoolExecutor, make: Callable[[int], Made], numbers: range) -> Iterator[Made]:
    upcoming: deque[Future[Made]] = deque(thread.submit(make, number) for number in numbers[:1])
    for number in numbers[1:]:
        current = upcoming.popleft()
        upcoming.append(thread.submit(make, number))
        yield current.result()
    for last in upcoming:
        yield last.result()


def gather(cache: PresizedCache, items: Sequence[int], positions: Sequence[float] | None) -> Tensor:
    """uint8 [n,S,S,3]: each item's window at its position along the long side, or its centre."""
    out = np.empty((len(items), cache.size, cache.size, 3), dtype=np.uint8)
    cache.gather(items, positions, out)
    return torch.from_numpy(out)
