"""Seconds and memory of one piece of work, in this process and those that decode for it."""

import os
import re
import resource
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_BETWEEN = 0.005
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_FORGET_THE_PEAK = "5"
KIB_PER_MIB = 1024


class Measured:
    """While it is entered, the largest resident memory of any one of the processes is followed.

    A process that ends meanwhile is seen as it was a moment before.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.mib = 0.0
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        for process in _processes():
            _forget_peak(process)
        self._watching.start()
        self._begun = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._begun
        self._over.set()
        self._watching.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(_BETWEEN):
            self._look()

    def _look(self) -> None:
        self.mib = max([self.mib, *(_peak_kib(process) / KIB_PER_MIB for process in _processes())])


def most_of_children() -> float:
    """MiB: the largest resident memory of any process that decoded for this one and has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / KIB_PER_MIB


def _processes() -> list[str]:
    own = str(os.getpid())
    return [own, *(child for path in Path(f"/proc/{own}/task").iterdir() for child in _read(path / "children").split())]


def _forget_peak(process: str) -> None:
    path = Path(f"/proc/{process}/clear_refs")
    if path.exists():
        path.write_text(_FORGET_THE_PEAK)


def _peak_kib(process: str) -> int:
    found = _PEAK.search(_read(Path(f"/proc/{process}/status")))
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    """What a process or thread says of itself; nothing where it has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
