"""One builder at a time, over processes; who waits sees how far the other is."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.errors import Stopped

_POLL_SECONDS = 0.2


class BuildLock:
    """A held lock; its file carries the builder's progress for those who wait."""

    def __init__(self, file: int) -> None:
        self._file = file

    def note(self, done: int, total: int) -> None:
        """Leave the progress for those who wait."""
        os.pwrite(self._file, f"{done:>12}/{total:>12}".encode(), 0)


@contextmanager
def building_alone(
    path: Path, on_wait: Callable[[int, int], None] | None, should_stop: Callable[[], bool] | None
) -> Iterator[BuildLock]:
    """Hold the lock while the block runs; the system releases it if the process is killed.

    Args:
        path: the lock's file, made where missing and never removed (removing it would let two hold it).
        on_wait: called while waiting, with the other builder's items done and items in all (0, 0 while unknown).
        should_stop: asked while waiting.

    Raises:
        Stopped: should_stop said so.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _taken(file):
            if should_stop is not None and should_stop():
                raise Stopped
            if on_wait is not None:
                on_wait(*_noted(file))
            time.sleep(_POLL_SECONDS)
        yield BuildLock(file)
    finally:
        os.close(file)


@contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock while the block runs, if nobody else does; whether it is held."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield _taken(file)
    finally:
        os.close(file)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _noted(file: int) -> tuple[int, int]:
    done, _, total = os.pread(file, 64, 0).decode("ascii", "replace").partition("/")
    return (int(done), int(total)) if done.strip().isdigit() and total.strip().isdigit() else (0, 0)
