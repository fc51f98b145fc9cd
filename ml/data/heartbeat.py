"""A sign of life now and then from what goes through many names; who hears it may end the work."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

HEARTBEAT_SECONDS = 0.5

Each = TypeVar("Each")


class Heartbeat:
    """Calls what it is given every ``HEARTBEAT_SECONDS``; what that raises ends the work."""

    def __init__(self, told: Callable[[], None] | None) -> None:
        self._told = told
        self._next = time.monotonic() + HEARTBEAT_SECONDS

    def over(self, each: Iterable[Each]) -> Iterator[Each]:
        """The same, one after the other, with a sign of life between them where it is time."""
        for one in each:
            if self._told is not None and time.monotonic() >= self._next:
                self._told()
                self._next = time.monotonic() + HEARTBEAT_SECONDS
            yield one
