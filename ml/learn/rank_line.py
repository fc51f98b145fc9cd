"""What is said between a training on several devices and the processes that it is done in.

Number 0 of them reports, and asks for checkpoints; each says how it ends.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeVar, TypeVarTuple

from ml.config import ResolvedConfig
from ml.data.manifest import Manifest
from ml.errors import CheckpointInvalid, LearningError
from ml.learn.checkpoint import CheckpointKeeper, Fetch
from ml.learn.setup import Paths
from ml.reporting import BatchRecord, EpochRecord, Plan, Progress, RateRecord, Reporter

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What one of the processes is told: which one it is, where they meet, and the arguments of ``fit``.

    ``meeting`` is a file that is not there yet; ``threads`` are the CPU's for this process.
    """

    rank: int
    ranks: int
    meeting: Path
    threads: int
    config: ResolvedConfig
    manifest: Manifest
    paths: Paths
    device: str
    checkpoint_seconds: float
    initial: Path | None
    accumulation: int
    earlier: frozenset[str]


class Desk:
    """What process 0 may ask for, done by whoever keeps the record."""

    def __init__(self, reporter: Reporter, keeper: CheckpointKeeper) -> None:
        self._reporter, self._keeper = reporter, keeper
        self._kept: Iterator[Fetch] = iter(())
        self._fetch: Fetch | None = None

    def on_plan(self, plan: Plan) -> None:
        self._reporter.on_plan(plan)

    def on_progress(self, progress: Progress) -> None:
        self._reporter.on_progress(progress)

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        self._reporter.on_batches(batches)

    def on_epoch(self, epoch: EpochRecord) -> None:
        self._reporter.on_epoch(epoch)

    def on_rate(self, found: RateRecord) -> None:
        self._reporter.on_rate(found)

    def on_log(self, message: str) -> None:
        self._reporter.on_log(message)

    def should_stop(self) -> bool:
        return self._reporter.should_stop()

    def look_for_kept(self) -> None:
        """Begin with the newest checkpoint again."""
        self._kept = self._keeper.kept()

    def next_kept(self) -> bool:
        """Whether there is one more, which ``fetch_kept`` then fetches."""
        self._fetch = next(self._kept, None)
        return self._fetch is not None

    def fetch_kept(self) -> Path:
        """Where it lies.

        Raises:
            CheckpointInvalid: it cannot be used, or none was found.
        """
        if self._fetch is None:
            raise CheckpointInvalid("a checkpoint was to be fetched before one was found")
        return self._fetch()

    def keep(self, path: Path, step: int) -> None:
        self._keeper.keep(path, step)


@dataclass(frozen=True)
class Call:
    """A method of ``Desk`` to be called; who sends it waits for the answer, or does not."""

    act: Callable[..., Any]
    arguments: tuple[Any, ...]
    waits: bool

    def done_by(self, desk: Desk) -> "Answer":
        """Do it."""
        try:
            return Answer(self.act(desk, *self.arguments))
        except CheckpointInvalid as error:
            return Answer(invalid=error.detail)


@dataclass(frozen=True)
class Answer:
    """What came of a call that waited."""

    value: Any = None
    invalid: str | None = None
    """Why a checkpoint cannot be used."""


@dataclass(frozen=True)
class RankOutcome:
    """A process's last word.

    ``done`` has a result, ``refused`` an error. ``lost``: the others were out of reach. ``failed``: in a way that
    nobody foresaw. ``died`` is said by none, but of one that said nothing: ``status`` is what it ended with.
    """

    how: Literal["done", "stopped", "refused", "memory", "lost", "failed", "died"]
    result: Any = None
    error: LearningError | None = None
    words: str = ""
    status: int = 0


class Line:
    """A process's end of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tell(self, act: Callable[[Desk, *Arguments], None], *arguments: *Arguments) -> None:
        """Have a method of the desk called, and go on."""
        self._connection.send(Call(act, arguments, waits=False))

    def ask(self, act: Callable[[Desk, *Arguments], Result], *arguments: *Arguments) -> Result:
        """Have a method of the desk called, and wait for what comes of it.

        Raises:
            CheckpointInvalid: what was to be fetched cannot be used.
        """
        self._connection.send(Call(act, arguments, waits=True))
        answer: Answer = self._connection.recv()
        if answer.invalid is not None:
            raise CheckpointInvalid(answer.invalid)
        value: Result = answer.value
        return value

    def end(self, ended: RankOutcome) -> None:
        self._connection.send(ended)
