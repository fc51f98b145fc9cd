"""The process that reads, as an API or a worker does, and whoever looks whether it lives."""

import faulthandler
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmarks.mutations.measured import most_of_children
from benchmarks.mutations.trial import Trial, What, drawn, tried

GIVEN_UP_SECONDS = 60.0
"""After so long a file counts as one that holds its reader for ever."""
_LOOK_SECONDS = 1.0
Task = tuple[What, int]
Originals = dict[str, list[bytes]]


@dataclass
class _Owner:
    """A process at work on its share of the files."""

    seed: int
    tasks: list[Task]
    originals: Originals
    line: Connection = field(init=False)
    process: multiprocessing.process.BaseProcess = field(init=False)
    done: int = 0
    begun: float = 0.0

    def start(self) -> None:
        """Begin with the first file that is not done."""
        spawn = multiprocessing.get_context("spawn")
        self.line, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=_read_all, args=(theirs, self.seed, self.tasks[self.done :], self.originals)
        )
        self.process.start()
        theirs.close()
        self.begun = time.monotonic()

    def received(self) -> Trial | float | None:
        """What the process says next: a file that it has read, or at its end MiB; None where it is gone."""
        try:
            said: Trial | float = self.line.recv()
        except EOFError:
            return None
        self.begun = time.monotonic()
        return said

    def lost(self, how: str) -> Trial:
        """The file that ended the process, or held it; the next begins with the one after."""
        self.process.join(_LOOK_SECONDS)
        self.process.kill()
        self.process.join()
        what, number = self.tasks[self.done]
        kind, form, _ = drawn(what, self.seed, number, self.originals)
        seconds = time.monotonic() - self.begun
        said = f"{how}, exit status {self.process.exitcode}"
        return Trial(what, self.seed, number, kind, form, "crashed", seconds, 0.0, said)


def read_by_processes(
    tasks: Sequence[Task], *, seed: int, originals: Originals, processes: int
) -> Iterator[Trial | float]:
    """What became of each file, in any order; and for each process MiB of the largest that decoded for it."""
    owners = [_Owner(seed, list(tasks[first::processes]), originals) for first in range(processes)]
    working = [owner for owner in owners if owner.tasks]
    for owner in working:
        owner.start()
    while working:
        ready = wait([owner.line for owner in working], _LOOK_SECONDS)
        for owner in list(working):
            said: Trial | float | None = None
            if owner.line in ready:
                said = owner.received()
            elif time.monotonic() - owner.begun < GIVEN_UP_SECONDS:
                continue
            if said is None:
                said = owner.lost("it ended its process" if owner.line in ready else "it held its process")
                owner.start()
            yield said
            if isinstance(said, Trial):
                owner.done += 1
            else:
                owner.process.join()
                working.remove(owner)


def _read_all(line: Connection, seed: int, tasks: list[Task], originals: Originals) -> None:
    faulthandler.enable()
    with tempfile.TemporaryDirectory(prefix="mutations-") as scratch:
        folder = Path(scratch) / "at-work"
        folder.mkdir()
        for what, number in tasks:
            line.send(tried(what, seed, number, originals, folder))
    line.send(most_of_children())
