"""What each of the processes does that train a model together; only number 0 writes and reports."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist

from ml.disk import GO_ON, says_disk_full
from ml.errors import DiskFull, LearningError, PrecisionUnsupported, ProcessLost, Stopped
from ml.learn.checkpoint import CheckpointKeeper, Fetch
from ml.learn.memory import is_out_of_memory, last_try
from ml.learn.rank_line import Brief, Desk, Line, RankOutcome
from ml.learn.setup import set_up
from ml.learn.together import Together
from ml.learn.trainer import Trainer
from ml.learn.training import FitResult, finish, train_phases, trainer_of
from ml.reporting import BatchRecord, EpochRecord, NullReporter, Plan, Progress, RateRecord

Told = TypeVar("Told")

log = logging.getLogger(__name__)


def run(connection: Connection) -> None:
    """Do as the brief says that comes over the line, and say how it ended."""
    line = Line(connection)
    brief: Brief = connection.recv()
    try:
        line.end(RankOutcome("done", result=_learn(brief, line)))
    except Stopped:
        line.end(RankOutcome("stopped"))
    except LearningError as error:
        line.end(RankOutcome("refused", error=error))
    except Exception as error:  # noqa: BLE001 - whoever started it decides what becomes of it
        line.end(_unforeseen(brief, error))


def _unforeseen(brief: Brief, error: Exception) -> RankOutcome:
    words = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if is_out_of_memory(error):
        return RankOutcome("memory", words=words)
    if says_disk_full(error):
        return RankOutcome(
            "refused", error=DiskFull("the disk is full: the training's files could not be written", GO_ON)
        )
    log.error("process %d of %d", brief.rank + 1, brief.ranks, exc_info=error)
    return RankOutcome("lost" if _is_of_the_group(error) else "failed", words=words)


def _is_of_the_group(error: Exception) -> bool:
    """Whether it says that another process was out of reach; Gloo's errors have no class of their own."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def _learn(brief: Brief, line: Line) -> FitResult | None:
    """The result, of process 0."""
    torch.set_num_threads(brief.threads)
    device = torch.device(brief.device)
    together = Together(brief.meeting, brief.rank, brief.ranks, device, brief.config.batch_norm)
    trainer, finishing = _prepared(brief, line, together)
    if trainer.accumulation == brief.accumulation:
        result = finishing()
    else:
        with last_try(brief.config):
            result = finishing()
    # The group is left by the end of the process: to end it in order may need those who have gone already.
    return result


def _prepared(brief: Brief, line: Line, together: Together) -> tuple[Trainer, Callable[[], FitResult | None]]:
    """A trainer where training stands, and what takes it to its end."""
    config, work, is_first = brief.config, brief.paths.work, brief.rank == 0
    silent = NullReporter()
    setup = set_up(
        config, brief.manifest, PresizedSource(), paths=brief.paths, reporter=silent, device=brief.device,
        initial=brief.initial,
    )  # fmt: skip
    model = setup.model()
    together.prepare(model)
    reporter = LineReporter(line if is_first else None, together)
    make = partial(trainer_of, setup, config, work, reporter, accumulation=brief.accumulation, ranks=together)
    make = partial(make, model=model, checkpoint_seconds=brief.checkpoint_seconds)
    if is_first:
        keeper = LineKeeper(line)
        trainer = make(keeper=keeper)
        trainer.restore()
        together.told(str(keeper.used or ""))
        _check_same(trainer, together)
        return trainer, partial(finish, trainer, setup, work, brief.earlier)
    used = together.told("")
    trainer = make(keeper=FollowerKeeper(Path(used) if used else None))
    trainer.restore()
    _check_same(trainer, together)
    return trainer, partial(_follow, trainer)


def _check_same(trainer: Trainer, together: Together) -> None:
    """Before anything is learned from what one of them has misread, or in numbers that do not add up to a mean.

    Raises:
        PrecisionUnsupported: their devices differ so far that not all train in the same precision.
    """
    precision = together.told(trainer.precision.name)
    if precision != trainer.precision.name:
        detail = f"process 1 would train in {precision}, and the device of process {together.rank + 1} in "
        detail += f"{trainer.precision.name}, since they are not alike"
        raise PrecisionUnsupported(detail, hint="Set precision to fp32, or devices to those of one kind.")
    if together.agreed(trainer.step) != trainer.step:
        message = f"process {together.rank + 1} is at step {trainer.step}, and process 1 is not"
        raise RuntimeError(message)


def _follow(trainer: Trainer) -> None:
    """Take part in all that number 0 does together with the others."""
    train_phases(trainer)
    trainer.last_outputs()


class PresizedSource:
    """Implements ``ml.data.bundle.ImageSource`` for photos that were presized before: nobody needs their bytes."""

    def read(self, index: int) -> bytes:
        """There are none."""
        message = f"photo {index} was presized before"
        raise RuntimeError(message)

    def prepare(self) -> NoReturn:
        """Their cache was there a moment ago."""
        raise ProcessLost("the presized photos were removed while the training began", "Start it again.")


class LineReporter(NullReporter):
    """Tells of process 0 over its line; all stop where it is to stop."""

    def __init__(self, line: Line | None, together: Together) -> None:
        self._line, self._together = line, together

    def on_plan(self, plan: Plan) -> None:
        self._tell(Desk.on_plan, plan)

    def on_progress(self, progress: Progress) -> None:
        self._tell(Desk.on_progress, progress)

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        self._tell(Desk.on_batches, batches)

    def on_epoch(self, epoch: EpochRecord) -> None:
        self._tell(Desk.on_epoch, epoch)

    def on_rate(self, found: RateRecord) -> None:
        self._tell(Desk.on_rate, found)

    def on_log(self, message: str) -> None:
        self._tell(Desk.on_log, message)

    def should_stop(self) -> bool:
        """What process 0 was answered."""
        asked = self._line is not None and self._line.ask(Desk.should_stop)
        return bool(self._together.agreed(float(asked)))

    def _tell(self, act: Callable[[Desk, Told], None], told: Told) -> None:
        if self._line is not None:
            self._line.tell(act, told)


class LineKeeper(CheckpointKeeper):
    """Process 0's checkpoints, kept by whoever started it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.used: Path | None = None
        """The one that was fetched last."""

    def kept(self) -> Iterator[Fetch]:
        """Newest first."""
        self._line.ask(Desk.look_for_kept)
        while self._line.ask(Desk.next_kept):
            yield self._fetch
        self.used = None

    def keep(self, path: Path, step: int) -> None:
        self._line.ask(Desk.keep, path, step)

    def _fetch(self) -> Path:
        self.used = self._line.ask(Desk.fetch_kept)
        return self.used


class FollowerKeeper(CheckpointKeeper):
    """The checkpoint that process 0 goes on from, for the others."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def kept(self) -> Iterator[Fetch]:
        path = self._path
        if path is not None:
            yield lambda: path

    def keep(self, path: Path, step: int) -> NoReturn:
        """Process 0 alone keeps any."""
        message = f"{path} of step {step}: only process 0 keeps checkpoints"
        raise RuntimeError(message)
