"""Puts photos into the artifact store beside the requests."""

import logging
import queue
import threading
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from api.kept.counters import Counters
from api.kept.room import Room
from store.errors import AppError
from store.kept_photos import KeptPhotos

logger = logging.getLogger(__name__)

BATCH = 16
"""Photos that are put on record at once."""
TRIES = 3
REST_SECONDS = 1.0
LAST_SECONDS = 5.0
"""What waits at the end is stored for so long."""


class PhotoWriter:
    """A thread that stores the photos of predictions that are on record; their bytes are counted in ``room``."""

    def __init__(self, photos: KeptPhotos, counters: Counters, room: Room) -> None:
        self._photos = photos
        self._counters = counters
        self._room = room
        self._queue: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="photo-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store what waits, for a few seconds at most, and end."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(LAST_SECONDS)

    def store(self, sha256: str, data: bytes) -> None:
        """Have a photo stored soon."""
        self._queue.put((sha256, data))

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            photos = [first, *self._more()]
            self._keep(dict(photos), len(photos))
            self._room.give_back(size=sum(len(data) for _, data in photos))

    def _more(self) -> Iterator[tuple[str, bytes]]:
        """What waits besides, a few; the end is left for the next look."""
        for _ in range(BATCH - 1):
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return
            if work is None:
                self._queue.put(None)
                return
            yield work

    def _keep(self, photos: dict[str, bytes], count: int) -> None:
        for _ in range(TRIES):
            try:
                if not self._photos.keep(photos):
                    self._counters.drop("photo_too_large")
            except (AppError, SQLAlchemyError) as error:
                logger.warning("%d photos were not kept yet: %s", count, str(error).splitlines()[0])
                if self._stopping.wait(REST_SECONDS):
                    break
            else:
                self._counters.photos.inc(count)
                return
        self._counters.drop("photo_store", count)
