"""How fast pictures are answered, measured while there are any: what a refused client is told to wait."""

from math import ceil
from time import monotonic

_KEPT = 0.95
"""The weight that what was measured keeps with each picture answered after it."""
MOST_SECONDS = 60


class Pace:
    """Seconds that each answered picture takes of the service's time, with all that is done side by side."""

    def __init__(self) -> None:
        self._seconds_each = 0.0
        self._since = 0.0

    def begin(self) -> None:
        """There are pictures again: what lay before was no work."""
        self._since = monotonic()

    def add(self, count: int) -> None:
        """So many were answered just now."""
        now = monotonic()
        measured = (now - self._since) / count
        kept = _KEPT**count if self._seconds_each else 0.0
        self._seconds_each = kept * self._seconds_each + (1 - kept) * measured
        self._since = now

    def seconds_for(self, count: int) -> int:
        """Whole seconds in which so many are answered, 1 to 60."""
        return max(1, min(MOST_SECONDS, ceil(count * self._seconds_each)))
