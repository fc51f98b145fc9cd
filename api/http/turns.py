"""Costly work of which only so much may run or wait: a request that finds no turn is told to come again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from store.errors import TooBusy


class Turns:
    """So many pieces of work at once; ``what`` says in the refusal what they are and that they are being done."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._free = threading.BoundedSemaphore(most)

    def take(self) -> None:
        """Begin a piece; who takes a turn gives it back.

        Raises:
            TooBusy: all turns are taken.
        """
        if not self._free.acquire(blocking=False):
            detail = f"{self._most} {self._what} already"
            raise TooBusy(detail, "Try again in a second.", headers={"Retry-After": "1"})

    def give_back(self) -> None:
        """End a piece."""
        self._free.release()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a turn for the block.

        Raises:
            TooBusy: all turns are taken.
        """
        self.take()
        try:
            yield
        finally:
            self.give_back()
