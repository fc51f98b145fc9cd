"""How fast training goes and how long it will still take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ml.config import ResolvedConfig

_MEMORY = 0.9


class Pace:
    """Running averages of a step's and a validation's seconds; the first step (warm-up) does not count."""

    def __init__(self, config: ResolvedConfig, steps_per_epoch: int) -> None:
        self._searches = _searches(config, steps_per_epoch)
        self._per_epoch = steps_per_epoch
        self._epochs = config.epochs
        self._steps = config.epochs * steps_per_epoch
        self._last: float | None = None
        self._step_seconds: float | None = None
        self._valid_seconds: float | None = None

    def stepped(self, images: int) -> float | None:
        """Note a finished step; returns images per second, or None while unknown."""
        now = time.perf_counter()
        if self._last is not None:
            self._step_seconds = _average(self._step_seconds, now - self._last)
        self._last = now
        return images / self._step_seconds if self._step_seconds else None

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Time a validation and leave it out of the next step's seconds."""
        started = time.perf_counter()
        yield
        self._last = time.perf_counter()
        self._valid_seconds = _average(self._valid_seconds, self._last - started)

    def eta_seconds(self, step: int) -> float | None:
        """Seconds that the steps, validations and searches for a rate after ``step`` will take, or None while unknown.

        A search is counted in full, though a sweep that diverges ends early.
        """
        if self._step_seconds is None:
            return None
        # Until one was seen, a validation is taken as a tenth of an epoch: forward only, on a fifth of the items.
        valid = self._valid_seconds if self._valid_seconds is not None else self._step_seconds * self._per_epoch / 10
        validations = self._epochs - step // self._per_epoch
        searching = sum(steps for first, steps in self._searches if first >= step)
        return (self._steps - step + searching) * self._step_seconds + validations * valid


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
