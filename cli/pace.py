"""When the next line is due, where nothing can be redrawn and each line stays."""

from time import monotonic

SHORTEST_SECONDS, LONGEST_SECONDS = 5.0, 60.0
SHARE = 0.1


class Pace:
    """Lines five seconds apart at first, and the longer it all takes the further apart."""

    def __init__(self) -> None:
        """Begin to count now."""
        self._began = self._said = monotonic()

    def is_due(self) -> bool:
        """Whether the last line is old enough for another one."""
        pause = min(max((self._said - self._began) * SHARE, SHORTEST_SECONDS), LONGEST_SECONDS)
        return monotonic() - self._said >= pause

    def said(self) -> None:
        """Note that a line has been printed."""
        self._said = monotonic()
