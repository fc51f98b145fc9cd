"""What the parts of a world hold, looked at in /proc every few seconds, and which processes it has left."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.soak.flat import Life, Sample
from tests.faults.world import World

SAMPLE_SECONDS = 2.0
KIB = 1024


class Watch:
    """Takes samples of all parts in a thread of its own, from ``start`` to ``stop``."""

    def __init__(self, world: World, began: float) -> None:
        """``began``: the run's begin on the monotonic clock."""
        self.lives: list[Life] = []
        self._world, self._began = world, began
        self._current: dict[str, tuple[Life, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            for part in self._world.parts:
                # A process may go at any moment, also between two files that say what it holds.
                with suppress(FileNotFoundError, ProcessLookupError, KeyError, AssertionError):
                    self._sample(part, self._world.pid(part))

    def _sample(self, part: str, pid: int) -> None:
        now = time.monotonic()
        life, since = self._current.get(part, (None, now))
        if life is None or life.pid != pid:
            life, since = Life(part, pid), now
            self._current[part] = (life, since)
            self.lives.append(life)
        process = Path(f"/proc/{pid}")
        handles = sum(1 for _ in (process / "fd").iterdir())
        tasks = [path.read_text().split() for path in (process / "task").glob("*/children")]
        mib = _status(process)["VmRSS"] / KIB
        life.samples.append(Sample(now - self._began, now - since, mib, handles, sum(map(len, tasks))))


def _status(process: Path) -> dict[str, int]:
    """In KiB; a process that has ended and is not reaped says nothing of its memory."""
    lines = (line.split() for line in (process / "status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[0] == "VmRSS:"}


def left_over(world: World) -> list[str]:
    """The processes of this world that belong to none of its parts."""
    kept = {world.pid(part) for part in world.parts if world.is_up(part)}
    return [said for pid, said in _of_folder(world.folder) if not kept & set(_line_of(pid))]


def _of_folder(folder: Path) -> Iterator[tuple[int, str]]:
    """Every process that works in the folder or was told of it, with its command line."""
    named = str(folder).encode()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            told = words + (process / "environ").read_bytes()
            if words and (named in told or (process / "cwd").readlink().is_relative_to(folder)):
                yield int(process.name), f"{process.name} {words.replace(bytes(1), b' ').decode(errors='replace')}"


def _line_of(pid: int) -> Iterator[int]:
    """The process, the one that started it, and so on."""
    while pid > 1:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return
