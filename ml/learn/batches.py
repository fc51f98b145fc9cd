"""Batches out of the presized cache: order, draws and tensors, each a function of the seed and the step."""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from ml.augment.augment import training_input, validation_input
from ml.augment.blend import Blend, blend_of_step
from ml.augment.draws import BatchDraws, draws_of_step, epoch_order
from ml.augment.erase import erase, erased_of_step
from ml.augment.trivial import trivial_of_step, trivially_changed
from ml.config import TrainSettings
from ml.data.cache import PresizedCache
from ml.data.split import Split
from ml.errors import BatchTooLarge, batch_hint
from ml.learn.objective import breed_weights
from ml.learn.rows import Rows, cut, rows_of
from ml.sizes import sizes_of

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class SampledBatch:
    """A training batch before it is made into inputs: uint8 images [n,S,S,3], targets [n] and their random changes.

    ``erased`` [n,4] are the rectangles to be blanked, ``trivial`` [n,2] the one more change of each, and ``blend`` what
    is made of two pictures; None: nothing of it.
    ``size`` is the inputs' side in pixels; None: the config's. ``rows`` are those that these are of the whole batch,
    None: all. With ``ahead`` the first picture is none of them: it is there to be blended into the next.
    """

    images: Tensor
    targets: Tensor
    draws: BatchDraws
    erased: Tensor | None = None
    blend: Blend | None = None
    size: int | None = None
    trivial: Tensor | None = None
    rows: Rows | None = None
    ahead: bool = False

    @property
    def count(self) -> int:
        """Pictures that are learned from."""
        return len(self.targets) - self.ahead

    @property
    def of(self) -> int:
        """Pictures of the whole batch."""
        return self.count if self.rows is None else self.rows.of

    @property
    def others(self) -> Tensor:
        """The targets [count] of the pictures that these are blended with."""
        return self.targets.roll(1, 0)[self.ahead :]

    def parts(self, count: int) -> "list[SampledBatch]":
        """The batch cut into ``count`` parts of nearly equal size, in order; each blends its own pictures.

        With ``ahead`` each part's first picture is blended with the one before it, which is the last of another part.
        """
        return [self] if count == 1 else [self._part(first, end) for first, end in cut(self.count, count)]

    def _part(self, first: int, end: int) -> "SampledBatch":
        taken = slice(first, end + self.ahead)
        return replace(
            self,
            images=self.images[taken],
            targets=self.targets[taken],
            draws=self.draws.rows(taken),
            erased=None if self.erased is None else self.erased[taken],
            trivial=None if self.trivial is None else self.trivial[taken],
            rows=None if self.rows is None else self.rows.within(first, end),
        )

    def pinned(self) -> "SampledBatch":
        """The batch in page-locked memory, from which a GPU copies while it computes."""
        return replace(
            self, images=self.images.pin_memory(), targets=self.targets.pin_memory(), draws=self.draws.pinned()
        )


def check_batch(split: Split, config: TrainSettings) -> None:
    """Refuse a training side that does not fill a single batch.

    Raises:
        BatchTooLarge: it has fewer pictures.
    """
    if len(split.train) < config.batch_size:
        detail = f"{len(split.train)} training images are fewer than one batch of {config.batch_size}"
        raise BatchTooLarge(detail, hint=batch_hint(len(split.train)))


class TrainingBatches:
    """The shuffled, augmented training side; an incomplete last batch is dropped."""

    _held: int | None = None
    """The step whose size all have; None: each has its own."""
    _rank: int = 0
    _ranks: int = 1
    """Which of so many processes takes its share of each batch."""

    def __init__(self, cache: PresizedCache, labels: Sequence[int], split: Split, config: TrainSettings) -> None:
        check_batch(split, config)
        self.per_epoch = len(split.train) // config.batch_size
        self._cache, self._config = cache, config
        self._sizes = sizes_of(config, self.per_epoch)
        self._seed = config.seed
        self._items = torch.tensor(split.train)
        self._labels = torch.tensor(labels)
        self._chances = _chances(self.targets, config.balance_sampling)

    @property
    def targets(self) -> Tensor:
        """Label ids [n] of the training side, in the split's order."""
        return self._labels[self._items]

    def reseeded(self, seed: int) -> Self:
        """The same pictures in another order and with other changes."""
        other = copy.copy(self)
        other._seed = seed  # noqa: SLF001 - of its own class
        return other

    def held_at(self, step: int) -> Self:
        """The same pictures, all at the size of global step ``step``."""
        other = copy.copy(self)
        other._held = step  # noqa: SLF001 - of its own class
        return other

    def shared(self, rank: int, ranks: int) -> Self:
        """Of each batch the share of process ``rank`` of so many: changed as in the whole batch, which all make up."""
        other = copy.copy(self)
        other._rank, other._ranks = rank, ranks  # noqa: SLF001 - of its own class
        return other

    def sample(self, step: int) -> SampledBatch:
        """Gather the images of global step ``step`` (from 0) and draw their changes."""
        config, size = self._config, self._sizes.at(step if self._held is None else self._held)
        epoch, number = divmod(step, self.per_epoch)
        order = epoch_order(len(self._items), self._seed, epoch, self._chances)
        items = self._items[order[number * config.batch_size : (number + 1) * config.batch_size]]
        count = len(items)
        blend = blend_of_step(config.mixup, config.cutmix, size, self._seed, step)
        rows, ahead = rows_of(count, self._rank, self._ranks), self._ranks > 1 and blend is not None
        taken = torch.arange(rows.first - ahead, rows.end) % count
        # Each draw is of the whole batch: a process that shares it changes its own pictures as one alone would.
        draws = draws_of_step(count, config.augment, config.min_scale, self._seed, step).rows(taken)
        items = items[taken]
        return SampledBatch(
            gather(self._cache, items.tolist(), draws.positions.tolist()),
            self._labels[items],
            draws,
            erased_of_step(count, config.erase, self._seed, step)[taken] if config.erase else None,
            blend,
            size,
            trivial_of_step(count, self._seed, step)[taken] if config.trivial_augment else None,
            rows,
            ahead,
        )

    def load(self, batch: SampledBatch, device: torch.device) -> tuple[Tensor, Tensor]:
        """Input float32 [count,3,size,size] and targets [count], on the device."""
        images = batch.images.to(device, non_blocking=True)
        inputs = training_input(images, batch.draws, batch.size or self._config.size)
        if batch.trivial is not None:
            inputs = trivially_changed(inputs, batch.trivial)
        if batch.erased is not None:
            inputs = erase(inputs, batch.erased)
        if batch.blend is not None:
            inputs = batch.blend.inputs(inputs)
        return inputs[batch.ahead :], batch.targets[batch.ahead :].to(device, non_blocking=True)


def _chances(targets: Tensor, balance: float) -> Tensor | None:
    """How likely each picture is taken, [n]; None where each is taken once an epoch."""
    return breed_weights(torch.bincount(targets), balance)[targets] if balance else None


def cuts(count: int, batch_size: int, parts: int) -> list[slice]:
    """``count`` items in batches, each batch in up to ``parts`` parts; where each part begins and ends."""
    step = -(-batch_size // parts)
    return [
        slice(first, min(first + step, start + batch_size, count))
        for start in range(0, count, batch_size)
        for first in range(start, min(start + batch_size, count), step)
    ]


class ValidationBatches:
    """The validation side, in the split's own order, the last batch as large as it comes."""

    _rank: int = 0
    _ranks: int = 1
    """Which of so many processes takes its share of the batches."""

    def __init__(
        self, cache: PresizedCache, labels: Sequence[int], items: Sequence[int], config: TrainSettings
    ) -> None:
        self._cache, self._config, self._items = cache, config, list(items)
        self._labels = labels

    @property
    def targets(self) -> Tensor:
        """Label ids [n] of all items, in order."""
        return torch.tensor([self._labels[i] for i in self._items])

    def shared(self, rank: int, ranks: int) -> Self:
        """The batches of process ``rank`` of so many, whole ones in a row; the targets stay those of all."""
        other = copy.copy(self)
        other._rank, other._ranks = rank, ranks  # noqa: SLF001 - of its own class
        return other

    def before(self, parts: int = 1) -> int:
        """Items before the first of its own."""
        if self._ranks == 1:
            return 0
        own = self._own(parts)
        return own[0].start if own else len(self._items)

    def _own(self, parts: int) -> list[slice]:
        of_all = cuts(len(self._items), self._config.batch_size, parts)
        first, end = cut(len(of_all), self._ranks)[self._rank]
        return of_all[first:end]

    def load(self, device: torch.device, parts: int = 1) -> Iterator[Tensor]:
        """Inputs float32 [≤ batch_size / parts,3,size,size], batch by batch."""

        def gathered(own: slice) -> Tensor:
            images = gather(self._cache, self._items[own], None)
            return images if device.type == "cpu" else images.pin_memory()

        with one_ahead(gathered, self._own(parts), device) as batches:
            for images in batches:
                yield validation_input(images.to(device, non_blocking=True), self._config.size)


def sampled_ahead(
    batches: TrainingBatches, first: int, end: int, device: torch.device
) -> AbstractContextManager[Iterator[SampledBatch]]:
    """The batches of steps ``first`` to ``end``; beside a GPU the next one is gathered while this one trains."""

    def sampled(step: int) -> SampledBatch:
        batch = batches.sample(step)
        return batch if device.type == "cpu" else batch.pinned()

    return one_ahead(sampled, range(first, end), device)


@contextmanager
def one_ahead(make: Callable[[Given], Made], given: Sequence[Given], device: torch.device) -> Iterator[Iterator[Made]]:
    """What ``make`` makes of each, in order; beside a GPU a thread makes the next one while this one is used."""
    if device.type == "cpu":
        yield map(make, given)
        return
    with ThreadPoolExecutor(1) as thread:
        yield _made_ahead(thread, make, given)


def _made_ahead(thread: ThreadPoolExecutor, make: Callable[[Given], Made], given: Sequence[Given]) -> Iterator[Made]:
    upcoming: deque[Future[Made]] = deque(thread.submit(make, one) for one in given[:1])
    for one in given[1:]:
        current = upcoming.popleft()
        upcoming.append(thread.submit(make, one))
        yield current.result()
    for last in upcoming:
        yield last.result()


def gather(cache: PresizedCache, items: Sequence[int], positions: Sequence[float] | None) -> Tensor:
    """uint8 [n,S,S,3]: each item's window at its position along the long side, or its centre."""
    out = np.empty((len(items), cache.size, cache.size, 3), dtype=np.uint8)
    cache.gather(items, positions, out)
    return torch.from_numpy(out)
