"""Puts photos into the artifact store beside the requests."""

import logging
import queue
import threading

from sqlalchemy.exc import SQLAlchemyError

from api.kept.counters import Counters
from api.kept.room import Room
from store.errors import AppError
from store.kept_photos import KeptPhotos

logger = logging.getLogger(__name__)

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
        """Begin to store."""
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
        while (work := self._queue.get()) is not None:
            sha256, data = work
            self._keep(sha256, data)
            self._room.give_back(size=len(data))

    def _keep(self, sha256: str, data: bytes) -> None:
        for _ in range(TRIES):
            try:
                if self._photos.keep(sha256, data):
                    self._counters.photos.inc()
                else:
                    self._counters.drop("photo_too_large")
            except (AppError, SQLAlchemyError) as error:
                logger.warning("a photo was not kept yet: %s", str(error).splitlines()[0])
                if self._stopping.wait(REST_SECONDS):
                    break
            else:
                return
        self._counters.drop("photo_store")
