"""Telling that something takes its time: a live line with the time so far, or one line where lines stay. On stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import monotonic

from cli.live_line import LiveLine, can_redraw
from cli.progress_line import fitted
from cli.saying import say
from cli.tables import short_time

PATIENCE_SECONDS = 1.0
"""What is over sooner needs no words."""


@contextmanager
def patiently(what: Callable[[], str]) -> Iterator[None]:
    """Say what is waited for while the block runs; it may change meanwhile."""
    began = monotonic()

    def text(width: int) -> str:
        passed = monotonic() - began
        return "" if passed < PATIENCE_SECONDS else fitted(f"{what()}  {short_time(passed)}", width)

    if can_redraw(sys.stderr):
        with LiveLine(sys.stderr, text):
            yield
        return
    timer = Timer(PATIENCE_SECONDS, lambda: say(what(), err=True))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
