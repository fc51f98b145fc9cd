"""A training on several devices: it is done in as many processes, which this one starts, hears and ends.

This process keeps the record and the checkpoints, and holds no device: whatever becomes of the others it can end them
and go on. The end of one is the end of all: nobody waits for somebody who is not there.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any
from uuid import uuid4

import torch

from ml.errors import ProcessLost, Stopped
from ml.learn.checkpoint import CheckpointKeeper
from ml.learn.rank_line import Brief, Call, Desk, RankOutcome
from ml.reporting import Reporter

GRACE_SECONDS = 3.0
"""After the first bad end: the others' say what it was about, and one that was killed says nothing."""
_LOOK_SECONDS = 0.2


def fit_on_several(
    ranks: int, reporter: Reporter, keeper: CheckpointKeeper, arguments: Mapping[str, Any], accumulation: int
) -> Any:  # noqa: ANN401 - fit's
    """Do as ``ml.learn.training.fit`` does, in processes; all have ended then, and also where this raises.

    Args:
        ranks: how many, each with a device of its own.
        reporter: hears everything.
        keeper: holds checkpoints.
        arguments: of ``fit``, as :class:`ml.learn.rank_line.Brief` has them.
        accumulation: parts that a batch is trained in, to begin with.

    Raises:
        ProcessLost: one of them ended without a word, or they lost each other.
        MemoryError: the memory of one did not suffice.
        LearningError: with a code, whatever a user can act on.
        Stopped: the reporter asked for it.
    """
    desk = Desk(reporter, keeper)
    work = arguments["paths"].work
    work.mkdir(parents=True, exist_ok=True)
    meeting = work / f"meeting-{uuid4().hex}"
    threads = max(1, torch.get_num_threads() // ranks)
    about = {**arguments, "accumulation": accumulation}
    briefs = [Brief(rank=rank, ranks=ranks, meeting=meeting, threads=threads, **about) for rank in range(ranks)]
    with _started(briefs) as processes:
        for process, brief in zip(processes, briefs, strict=True):
            process.send(brief)
        return _heard(processes, desk)


class _Process:
    """One of them, and the line to it."""

    def __init__(self, rank: int, ranks: int) -> None:
        self.rank = rank
        self.ended: RankOutcome | None = None
        ours, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, "-m", "ml.learn.rank_process", str(os.getpid()), str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                words,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what it says on its own is no part of what this one prints
                env=os.environ | _environment(rank, ranks),
            )
        self.line = Connection(ours.detach())

    def send(self, word: object) -> None:
        """Where it is gone, it is heard that it is."""
        with contextlib.suppress(OSError):
            self.line.send(word)

    def hear(self, desk: Desk) -> None:
        """Take one word, which is there, or the end of the line."""
        try:
            word = self.line.recv()
        except (EOFError, OSError):
            self.ended = RankOutcome("died", status=self._process.wait())
            return
        if isinstance(word, RankOutcome):
            self.ended = word
            return
        call: Call = word
        answer = call.done_by(desk)
        if call.waits:
            self.send(answer)

    def look(self) -> None:
        """Miss it where it has ended, though something holds its line open."""
        status = self._process.poll()
        if status is not None and self.ended is None and not self.line.poll():
            self.ended = RankOutcome("died", status=status)

    def end(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()
        self.line.close()


def _environment(rank: int, ranks: int) -> dict[str, str]:
    """One device for each, and nothing to be heard from other hosts."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = seen.split(",") if seen else [str(number) for number in range(ranks)]
    own = {"CUDA_VISIBLE_DEVICES": devices[rank].strip()} if len(devices) >= ranks else {}
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    return own | {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}


@contextmanager
def _started(briefs: Sequence[Brief]) -> Iterator[list[_Process]]:
    processes: list[_Process] = []
    try:
        for brief in briefs:
            processes.append(_Process(brief.rank, brief.ranks))  # noqa: PERF401 - those before a failure are ended
        yield processes
    finally:
        for process in processes:
            process.end()
        briefs[0].meeting.unlink(missing_ok=True)


def _heard(processes: Sequence[_Process], desk: Desk) -> Any:  # noqa: ANN401 - of fit
    """Serve them until it is known how it ends."""
    ended: list[_Process] = []
    bad_since: float | None = None
    while True:
        talking = {process.line: process for process in processes if process.ended is None}
        for line in wait(list(talking), _LOOK_SECONDS):
            talking[line].hear(desk)  # type: ignore[index]  # it gives back what it was given
        for process in talking.values():
            process.look()
        ended += [process for process in talking.values() if process.ended is not None]
        lead = processes[0].ended
        if lead is not None and lead.how == "done":
            return lead.result
        _raise_told(ended)
        if any(_is_bad(process) for process in ended):
            bad_since = bad_since or time.monotonic()
            if len(ended) == len(processes) or time.monotonic() - bad_since >= GRACE_SECONDS:
                raise _cause(ended, len(processes))


def _raise_told(ended: Sequence[_Process]) -> None:
    """Raise what one of them has said plainly."""
    for process in ended:
        word = process.ended
        if word is None:
            continue
        if word.error is not None and process.rank == 0:
            raise word.error
        if word.how == "memory":
            raise MemoryError(word.words)
        if word.how == "stopped" and process.rank == 0:
            raise Stopped


def _is_bad(process: _Process) -> bool:
    """Process 0 tells more before its own last word, which may be the same: another's waits for it."""
    how = None if process.ended is None else process.ended.how
    return how in {"died", "lost", "failed"} or (how == "refused" and process.rank > 0)


def _cause(ended: Sequence[_Process], ranks: int) -> Exception:
    """Of several bad ends the one that the others come from."""
    found = {process.ended.how: process for process in reversed(ended) if process.ended is not None}
    if "died" in found:
        return _lost(found["died"], ranks)
    if "refused" in found and (word := found["refused"].ended) is not None and word.error is not None:
        return word.error
    if "failed" in found and (word := found["failed"].ended) is not None:
        return RuntimeError(word.words)
    why = found["lost"].ended.words if "lost" in found and found["lost"].ended is not None else "it is not known why"
    return ProcessLost(f"the {ranks} processes that train together lost each other ({why})", _AGAIN)


_AGAIN = "Start it again: it goes on from the last checkpoint."


def _lost(process: _Process, ranks: int) -> ProcessLost:
    status = 0 if process.ended is None else process.ended.status
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    detail = f"process {process.rank + 1} of the {ranks} that train together ended with {how}"
    return ProcessLost(detail, _AGAIN, killed=status == -signal.SIGKILL)
