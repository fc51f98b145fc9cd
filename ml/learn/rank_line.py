"""What is said between a training on several devices and the processes that it is done in.

Number 0 of them reports, and asks for checkpoints; each says how it ends.
"""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from ml.config import ResolvedConfig
from ml.data.manifest import Manifest
from ml.errors import CheckpointInvalid, LearningError
from ml.learn.setup import Paths


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


@dataclass(frozen=True)
class Call:
    """Something to be done by whoever keeps the record: a method's ``name``; it waits for the answer, or does not."""

    name: str
    arguments: tuple[Any, ...]
    waits: bool


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

    def tell(self, name: str, *arguments: object) -> None:
        """Have it done, and go on."""
        self._connection.send(Call(name, arguments, waits=False))

    def ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - each name has its own
        """Have it done, and wait for what comes of it.

        Raises:
            CheckpointInvalid: what was to be fetched cannot be used.
        """
        self._connection.send(Call(name, arguments, waits=True))
        answer: Answer = self._connection.recv()
        if answer.invalid is not None:
            raise CheckpointInvalid(answer.invalid)
        return answer.value

    def end(self, ended: RankOutcome) -> None:
        self._connection.send(ended)
