"""What chance decides, and in which order it is asked: served, shown and trained inputs are equal bit for bit by it.

Each draw moves its generator on, so that another order would be other numbers. Nobody but this file asks in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor

from ml.augment.geometry import draw, homography
from ml.augment.lighting import draw_lighting
from ml.augment.seed import generator
from ml.config_augment import Augment


@dataclass(frozen=True)
class BatchDraws:
    """The random changes of one batch, float32 on the CPU: homographies [n,3,3]; the others [n].

    ``positions`` are where the presized square lies along an image's long side, 0 to 1.
    """

    positions: Tensor
    homographies: Tensor
    brightness: Tensor
    contrast: Tensor

    def rows(self, rows: slice | Tensor) -> Self:
        return type(self)(*(tensor[rows] for tensor in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """All four, in the order in which they are declared."""
        return self.positions, self.homographies, self.brightness, self.contrast

    def pinned(self) -> Self:
        """In page-locked memory."""
        return type(self)(*(tensor.pin_memory() for tensor in self.tensors()))

    @classmethod
    def join(cls, several: Sequence[Self]) -> Self:
        """Those of several batches, one after the other, as one."""
        return cls(*(torch.cat(parts) for parts in zip(*(one.tensors() for one in several), strict=True)))


def epoch_order(count: int, seed: int, epoch: int, chances: Tensor | None = None) -> Tensor:
    """The order in which a run with this seed takes the ``count`` items of its training side: positions [count].

    With ``chances`` [count] each position is drawn by them, so that some come more than once and some not at all.
    """
    order = generator(seed, "order", epoch)
    if chances is not None:
        return torch.multinomial(chances, count, replacement=True, generator=order)
    return torch.randperm(count, generator=order)


def draws_of_step(n: int, augment: Augment, min_scale: float, seed: int, step: int) -> BatchDraws:
    """What a run with this seed does to the ``n`` images of global step ``step`` (from 0)."""
    return draw_batch(n, augment, min_scale, generator(seed, "augment", step))


def draw_batch(n: int, augment: Augment, min_scale: float, generator: Generator) -> BatchDraws:
    """Draw for ``n`` images: first where their squares lie, then what is done to these."""
    return _changed(torch.rand(n, generator=generator), augment, min_scale, generator)


def draw_copies(n: int, augment: Augment, min_scale: float, generator: Generator) -> list[BatchDraws]:
    """Draw for ``n`` copies of one image, each a batch of one: first all squares, then one copy after the other."""
    positions = torch.rand(n, generator=generator)
    return [_changed(position, augment, min_scale, generator) for position in positions.tensor_split(n)]


def _changed(positions: Tensor, augment: Augment, min_scale: float, generator: Generator) -> BatchDraws:
    n = len(positions)
    homographies = homography(draw(n, augment, min_scale, generator))
    return BatchDraws(positions, homographies, *draw_lighting(n, augment, generator))
