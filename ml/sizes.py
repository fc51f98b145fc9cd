"""The sizes at which a training sees its photos: one, or several that it grows through (progressive resizing)."""

from dataclasses import dataclass
from functools import cached_property

from ml.config import ResolvedConfig, TrainSettings

APART = 32
"""Pixels between two sizes of a training that grows: a body halves its photos five times."""


@dataclass(frozen=True)
class Sizes:
    """Pixels, in order; each has an equal share of the ``steps`` on photos, of which ``first`` is the first.

    ``measured`` is the size of validation.
    """

    each: tuple[int, ...]
    measured: int
    first: int = 0
    steps: int = 1

    def at(self, step: int) -> int:
        """The size in global step ``step``, from 0."""
        place = (step - self.first) * len(self.each) // self.steps
        return self.each[min(max(place, 0), len(self.each) - 1)]

    def work(self, first: int, end: int) -> float:
        """What steps ``first`` to ``end`` cost: each as its photos' area beside that of ``measured``."""
        return sum(
            (min(end, until) - max(first, since)) * (size / self.measured) ** 2
            for size, since, until in self._spans
            if since < end and until > first
        )

    @cached_property
    def _spans(self) -> list[tuple[int, int, int]]:
        """Each size with the steps from and to which it is in force; the first holds before, the last after."""
        starts = [self.first + -(-place * self.steps // len(self.each)) for place in range(len(self.each))]
        return list(zip(self.each, [0, *starts[1:]], [*starts[1:], _FOREVER], strict=True))


_FOREVER = 2**63


def sizes_of(config: TrainSettings, steps_per_epoch: int) -> Sizes:
    """The sizes of a training with so many steps an epoch; a search on its own has the first of them."""
    each = _grown(config)
    if not isinstance(config, ResolvedConfig):
        return Sizes(each[:1], config.size)
    first = config.feature_epochs * steps_per_epoch
    return Sizes(each, config.size, first, max(1, config.epochs * steps_per_epoch - first))


def _grown(config: TrainSettings) -> tuple[int, ...]:
    if config.train_size == "size":
        return (config.size,)
    ends = config.train_size if isinstance(config.train_size, tuple) else (config.train_size,)
    first, last = (min(end, config.size) for end in (ends[0], ends[-1]))
    return (*range(first, last, APART), last)
