"""One line at the bottom of a terminal that is redrawn in place, with what is printed meanwhile above it."""

import os
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Self, TextIO

TICK_SECONDS = 0.2
COLUMNS_UNKNOWN = 80
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"

Text = Callable[[int], str]
"""Makes the line anew, at most so many cells wide."""


def can_redraw(stream: TextIO) -> bool:
    """Whether the stream is a terminal that understands more than text and newlines."""
    return stream.isatty() and os.environ.get("TERM", "dumb").lower() not in {"", "dumb", "unknown"}


def has_colours() -> bool:
    """Whether the user lets commands colour what they print (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")


def columns(stream: TextIO) -> int:
    """The terminal's width as it is now."""
    return os.get_terminal_size(stream.fileno()).columns or COLUMNS_UNKNOWN


class LiveLine:
    """Redraws what ``text`` says whenever that or the terminal's width changes, until its block is left.

    A line is erased before it is written: behind one that is as wide as the terminal the cursor still stands on its
    last letter, which would be erased after it.

    The cursor rests at the line's beginning. A terminal that breaks lines anew when it is resized keeps it there, so
    that everything below it can be erased and no remnant of a longer line stays. The cursor stays visible: nothing
    needs to be set right where the process is killed or stopped.
    """

    def __init__(self, stream: TextIO, text: Text) -> None:
        """Draw on a stream of which ``can_redraw`` holds."""
        self.stream, self.text = stream, text
        self._drawn = ""
        self._width = columns(stream)
        self._over = Event()
        self._lock = Lock()
        self._thread = Thread(target=self._keep_drawn, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.stream.write(f"\r{ERASE_BELOW}")
        self.stream.flush()

    def print(self, text: str) -> None:
        """Print lines above the live one."""
        with self._lock:
            above = "".join(f"{ERASE_LINE}{line}\n" for line in text.split("\n"))
            self._draw(above)

    def _keep_drawn(self) -> None:
        while not self._over.is_set():
            with self._lock:
                self._draw()
            self._over.wait(TICK_SECONDS)

    def _draw(self, above: str = "") -> None:
        """All in one write, so that no half of it is ever seen."""
        width = columns(self.stream)
        text = self.text(width - 1)
        if not above and (text, width) == (self._drawn, self._width):
            return
        start = f"\r{ERASE_BELOW}" if width != self._width else "\r"
        self._drawn, self._width = text, width
        self.stream.write(f"{start}{above}{NO_WRAP}{ERASE_LINE}{text}{WRAP}\r")
        self.stream.flush()
