"""How fast training goes and how long it will still take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ml.config import ResolvedConfig
from ml.sizes import sizes_of

_MEMORY = 0.9


@dataclass
class _Seen:
    """Running averages of seconds: of a step at the size of validation, and of a validation; None while unknown."""

    step: float | None = None
    validation: float | None = None


class Pace:
    """Running averages of a step's and a validation's seconds; the first step (warm-up) does not count.

    Steps on features and steps on photos are told apart: no one says how long the other takes.
    """

    def __init__(self, config: ResolvedConfig, steps_per_epoch: int) -> None:
        self._searches = _searches(config, steps_per_epoch)
        self._per_epoch = steps_per_epoch
        self._steps = config.epochs * steps_per_epoch
        self._on_features = config.feature_epochs * steps_per_epoch
        self._sizes = sizes_of(config, steps_per_epoch)
        self._features, self._photos = _Seen(), _Seen()
        self._last: float | None = None

    def stepped(self, images: int, step: int) -> float | None:
        """Note the step that is the run's ``step``-th; returns images per second, or None while unknown."""
        now, seen = time.perf_counter(), self._seen(step)
        took = None if self._last is None else now - self._last
        self._last = now
        if took is not None:
            seen.step = _average(seen.step, took / self._work(step - 1, step))
        return images / seen.step / self._work(step - 1, step) if seen.step else None

    @contextmanager
    def validating(self, step: int) -> Iterator[None]:
        """Time a validation after so many steps and leave it out of the next step's seconds."""
        started, seen = time.perf_counter(), self._seen(step)
        yield
        self._last = time.perf_counter()
        seen.validation = _average(seen.validation, self._last - started)

    def eta_seconds(self, step: int) -> float | None:
        """Seconds that the steps, validations and searches for a rate after ``step`` will take, or None while unknown.

        A search is counted in full, though a sweep that diverges ends early.
        """
        on_features = self._left(self._features, step, self._on_features)
        on_photos = self._left(self._photos, max(step, self._on_features), self._steps)
        return None if on_features is None or on_photos is None else on_features + on_photos

    def _left(self, seen: _Seen, first: int, end: int) -> float | None:
        """Seconds from step ``first`` to ``end``, all of one kind."""
        if first >= end:
            return 0.0
        if seen.step is None:
            return None
        # Until one was seen, a validation is taken as a tenth of an epoch: forward only, on a fifth of the items.
        valid = seen.validation if seen.validation is not None else seen.step * self._per_epoch / 10
        validations = end // self._per_epoch - first // self._per_epoch
        searching = sum(steps * self._work(at, at + 1) for at, steps in self._searches if first <= at < end)
        return (self._work(first, end) + searching) * seen.step + validations * valid

    def _seen(self, step: int) -> _Seen:
        return self._features if step <= self._on_features else self._photos

    def _work(self, first: int, end: int) -> float:
        return float(end - first) if first < self._on_features else self._sizes.work(first, end)


def _searches(config: ResolvedConfig, steps_per_epoch: int) -> list[tuple[int, int]]:
    """For each phase that searches for its rate: its first step, and the steps of the search."""
    found, first = [], 0
    for phase in config.phases:
        if phase.auto == "find":
            found.append((first, config.lr_sweep.sweeps * config.lr_sweep.steps))
        first += phase.epochs * steps_per_epoch
    return found


def _average(old: float | None, new: float) -> float:
    return new if old is None else _MEMORY * old + (1 - _MEMORY) * new
