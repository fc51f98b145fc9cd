"""How far files on their way are: one line, redrawn on a terminal, now and then elsewhere. On stderr."""

import sys
from contextlib import ExitStack
from typing import Self

from rich.cells import cell_len

from cli.live_line import LiveLine, can_redraw
from cli.pace import Pace
from cli.progress_line import fitted
from cli.saying import say
from cli.tables import short_time

KIB = 1024
MIB = 1024 * KIB


class Transfer:
    """Called with bytes done and bytes in all, within its block; ``verb`` says which way they go.

    Args:
        verb: what happens to the bytes.
        then: what is waited for when all are done.

    ``seconds_left`` is said where somebody sets it.
    """

    def __init__(self, verb: str, then: str = "") -> None:
        self.verb, self.then = verb, then
        self.done = self.size = 0
        self.seconds_left: float | None = None
        self._pace = Pace()
        self._live = ExitStack()
        self._redraws = can_redraw(sys.stderr)

    def __enter__(self) -> Self:
        if self._redraws:
            self._live.enter_context(LiveLine(sys.stderr, self._line))
        return self

    def __exit__(self, *_: object) -> None:
        self._live.close()

    def __call__(self, done: int, size: int) -> None:
        """Take note; where lines stay, say it when one is due."""
        self.done, self.size = done, size
        if not self._redraws and self._pace.is_due():
            self._pace.said()
            say(self._text(), err=True)

    @property
    def is_done(self) -> bool:
        """Whether every byte is through."""
        return self.done == self.size > 0

    def _line(self, width: int) -> str:
        """What is waited for alone, where there is no room for more."""
        text = self._text()
        alone = self.then if self.is_done and self.then and cell_len(text) > width else text
        return fitted(alone, width)

    def _text(self) -> str:
        if not self.done:
            return ""
        unit, name = (MIB, "MiB") if self.size >= MIB or self.done >= MIB else (KIB, "KiB")
        done, size = -(-self.done // unit) if self.is_done else self.done // unit, -(-self.size // unit)
        text = f"{self.verb} {done}{f' of {size}' if self.size else ''} {name}"
        if self.seconds_left is not None:
            return f"{text}, {short_time(self.seconds_left)} left"
        return f"{text}; {self.then}" if self.is_done and self.then else text
