"""Archives that are looked into by requests, few at a time: the list of one and its names may take 80 MB."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from store.errors import TooBusy

AT_ONCE = 2
WAIT_SECONDS = 10.0


class ArchiveReaders:
    """The places of all who read an archive in this process."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place for the block, waiting up to ten seconds for it.

        Raises:
            TooBusy: no place became free.
        """
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise busy()
        try:
            yield
        finally:
            self._places.release()


def busy() -> TooBusy:
    """What is said where there is no place."""
    detail = f"{AT_ONCE} archives are being read already"
    return TooBusy(detail, "Try again in a second.", headers={"Retry-After": "1"})
