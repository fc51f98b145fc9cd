"""The command under a pseudo-terminal, with an emulator that keeps what its screen shows."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock, Thread
from time import monotonic, sleep

import pyte

DEADLINE_SECONDS = 120.0
CTRL_C = b"\x03"
START = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {patch}; from cli.main import main; main()"
"""As a shell would start it: the terminal is its own, so that Ctrl-C reaches it."""


class Terminal:
    """A terminal of a size, with the command in it. ``live`` is every text that its bottom line has shown."""

    def __init__(self, words: tuple[str, ...], environment: Mapping[str, str], width: int, patch: str) -> None:
        self.screen = pyte.HistoryScreen(width, 24, history=1000)
        self.raw = b""
        self.live: list[str] = []
        self._stream = pyte.ByteStream(self.screen)
        self._lock = Lock()
        self._ours, theirs = pty.openpty()
        self._set_size(width)
        command = [sys.executable, "-c", START.format(patch=patch), *words]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True
        )
        os.close(theirs)
        self._thread = Thread(target=self._read)
        self._thread.start()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen and was scrolled off it, without empty lines at the end."""
        with self._lock:
            above = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
            shown = [line.rstrip() for line in [*above, *self.screen.display]]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    def has(self, text: str) -> bool:
        """Whether a text is there, wherever the terminal breaks it."""
        return "".join(text.split()) in "".join(self.text.split())

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the command is about to show."""
        deadline = monotonic() + DEADLINE_SECONDS
        while not holds():
            assert monotonic() < deadline, self.text
            sleep(0.01)

    def shows(self, text: str) -> None:
        """Wait until the screen has a text."""
        self.until(lambda: self.has(text))

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, width: int) -> None:
        """As when its window is dragged; the kernel tells the command."""
        with self._lock:
            self.screen.resize(columns=width)
        self._set_size(width)

    def ended(self) -> int:
        """Wait for the end of the command; its exit code."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._thread.join()
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        os.close(self._ours)

    def _set_size(self, width: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._ours, 1 << 16)
            except OSError:  # how Linux says that nobody has the other end open any more
                return
            if not part:
                return
            with self._lock:
                self.raw += part
                self._stream.feed(part)
                bottom = self.screen.display[self.screen.cursor.y].rstrip()
            if bottom and self.live[-1:] != [bottom]:
                self.live.append(bottom)


def usual(**more: str) -> dict[str, str]:
    """The environment of a usual terminal, whatever the one is that the tests run in."""
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "DATABASE_URL", "REDIS_URL", "ARTIFACTS_URL"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    kept = {name: value for name, value in kept.items() if not name.startswith(("PEDIGREE_", "LC_"))}
    return {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PEDIGREE_DEVICE": "cpu", **more}


@contextmanager
def terminal(*words: str, environment: Mapping[str, str], width: int = 80, patch: str = "pass") -> Iterator[Terminal]:
    """The command under a terminal; ``patch`` is Python that it runs first."""
    opened = Terminal(words, environment, width, patch)
    try:
        yield opened
    finally:
        opened.close()
