"""The seam between learning and whoever keeps the record: learning calls a Reporter and knows nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


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
    accumulation: int = 1
    """Parts that a batch is trained in, one after the other; 2 after the memory did not hold a whole one."""
    halved_from_step: int | None = None
    """The first step of those trained in parts; None where all are trained whole."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the work stands. ``stage`` is a word for people.

    A training goes through fetch, presize, lr_find, train, validate and store; an interpretation through interpret; an
    import through fetch, unpack, draw or download, and scan, pack and store; a forecast through measure; a prediction
    of many pictures through fetch, unpack, predict and store.

    ``in_batches`` is true from the first batch on, where the memory that is taken goes by the size of a batch: a job
    that is killed for its memory can then go on in halves of a batch.

    ``eta_seconds`` is the time that the whole job still takes; None where it is not known, and then
    ``stage_eta_seconds`` may say how long this stage still takes, after which others come.
    """

    stage: str
    in_batches: bool = False
    phase: int = 0
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    eta_seconds: float | None = None
    stage_eta_seconds: float | None = None
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
    peak_memory_bytes: int | None = None
    """Most memory held so far: the device's on a GPU, the process's on a CPU."""


@dataclass(frozen=True, kw_only=True)
class RateRecord:
    """What a search for a learning rate before phase ``phase`` gave.

    ``rate`` is what ``"auto"`` uses, None where there is no answer; ``agreement`` is ``agree``, ``weak`` or ``none``.
    ``content`` is the whole record, ready for JSON (:meth:`ml.reading.agreement.RateSearch.content`).
    """

    phase: int
    rate: float | None
    agreement: str
    content: dict[str, Any]


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

    def on_rate(self, found: RateRecord) -> None:
        """Take what a search for a learning rate gave."""

    def on_log(self, message: str) -> None:
        """Take a sentence for people."""

    def should_stop(self) -> bool:
        """Say whether the loop must stop at the next step."""
        ...


class NullReporter:
    """Keeps nothing and never stops."""

    def on_plan(self, plan: Plan) -> None: ...

    def on_progress(self, progress: Progress) -> None: ...

    def on_batches(self, batches: Sequence[BatchRecord]) -> None: ...

    def on_epoch(self, epoch: EpochRecord) -> None: ...

    def on_rate(self, found: RateRecord) -> None: ...

    def on_log(self, message: str) -> None: ...

    def should_stop(self) -> bool:
        return False
