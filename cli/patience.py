"""Telling that something takes its time: a live line with the time so far, or one line where lines stay. On stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import NamedTuple

from cli.live_line import LiveLine, can_redraw
from cli.progress_line import fitted
from cli.saying import say
from cli.tables import short_time

Live = Callable[[int, float], str]
"""Makes the line, at most so many cells wide, of so many seconds waited."""


class Line(NamedTuple):
    """Where lines stay: after how many seconds theirs comes, and who says it."""

    after: float
    say: Callable[[str], object]


PATIENCE_SECONDS = 1.0
"""What is over sooner needs no words."""


@contextmanager
def patiently(what: Callable[[], str], live: Live | None = None, line: Line | None = None) -> Iterator[None]:
    """Say what is waited for while the block runs; it may change meanwhile. ``live`` is another text of a live line."""
    began = monotonic()

    def text(width: int) -> str:
        passed = monotonic() - began
        if passed < PATIENCE_SECONDS:
            return ""
        return fitted(f"{what()}  {short_time(passed)}", width) if live is None else live(width, passed)

    if can_redraw(sys.stderr):
        with LiveLine(sys.stderr, text):
            yield
        return
    after, say_it = line or Line(PATIENCE_SECONDS, lambda said: say(said, err=True))
    timer = Timer(after, lambda: say_it(what()))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
