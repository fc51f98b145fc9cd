"""The seam between learning and whoever keeps the record: learning calls a Reporter and knows nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a fit is about to do, said once before the first step (again after a resume)."""

    device: str
    precision: str
    precision_reason: str
    weights_file: str | None
    weights_sha256: str | None
    versions: dict[str, str]
    train_items: int
    valid_items: int
    steps: int
    resumed_from_step: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the work stands. ``stage`` is a word for people: fetch, presize, train, validate or interpret."""

    stage: str
    phase: int = 0
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    eta_seconds: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class BatchRecord:
    """One training step. ``step`` counts from 0 over all phases; ``lr`` holds one rate per group."""

    step: int
    phase: int
    raw_loss: float
    train_loss: float
    lr: tuple[float, ...]
    momentum: float


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch's row. ``phase`` and ``epoch`` count from 0; ``epoch`` restarts with each phase."""

    phase: int
    epoch: int
    train_loss: float
    valid_loss: float
    error_rate: float
    seconds: float
    images_per_second: float


class Reporter(Protocol):
    """Receives the record as it is made; every call may be repeated after a resume with equal content."""

    def on_plan(self, plan: Plan) -> None:
        """Take the resolved plan of the fit."""

    def on_progress(self, progress: Progress) -> None:
        """Take the current position."""

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        """Take finished steps, in order."""

    def on_epoch(self, epoch: EpochRecord) -> None:
        """Take a finished epoch."""

    def on_log(self, message: str) -> None:
        """Take a sentence for people."""

    def should_stop(self) -> bool:
        """Say whether the loop must stop at the next step."""
        ...


class NullReporter:
    """Keeps nothing and never stops."""

    def on_plan(self, plan: Plan) -> None:
        """Ignore."""

    def on_progress(self, progress: Progress) -> None:
        """Ignore."""

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        """Ignore."""

    def on_epoch(self, epoch: EpochRecord) -> None:
        """Ignore."""

    def on_log(self, message: str) -> None:
        """Ignore."""

    def should_stop(self) -> bool:
        """Never."""
        return False
