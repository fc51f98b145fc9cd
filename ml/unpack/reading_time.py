"""How long an archive may be looked into by somebody who waits."""

import time

_BUSY = 3
"""By the clock: where a machine has so much other work that a thread gets less of a core, nobody waits for it."""


class ReadingTime:
    """Of the thread that makes it: seconds of processor time, and three times as long by the clock."""

    def __init__(self, seconds: float) -> None:
        self._until = time.thread_time() + seconds
        self._end = time.monotonic() + _BUSY * seconds

    def is_over(self) -> bool:
        """Whether either is spent."""
        return time.thread_time() > self._until or time.monotonic() > self._end
