"""Writes predictions to the record beside the requests: nothing here makes a request wait, nor fail."""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid4

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from api.kept.counters import Counters
from api.kept.photo_writer import PhotoWriter
from api.kept.room import Room
from api.schemas.predictions import Prediction
from store.db.kept import NewPrediction, add_predictions

logger = logging.getLogger(__name__)

MOST_ROWS = 20_000
MOST_BYTES = 64 * 1024 * 1024
"""Of pictures that wait to be hashed or stored."""
BATCH = 500
GATHER_SECONDS = 0.2
"""Between two writes, so that a busy service writes many rows at once."""
REST_SECONDS = 1.0
"""After a write that failed."""
LAST_SECONDS = 5.0
"""What waits at the end is tried for so long."""
MOST_TOP = 5

OUTAGES = (OperationalError, InterfaceError, PoolTimeout)
"""What passes when the database is back."""


@dataclass(frozen=True)
class _Answer:
    id: UUID
    answered_at: datetime
    data: bytes
    version: int
    asked: str
    said: Prediction
    seconds: float
    with_photo: bool


class Keeper:
    """A bounded queue of answers, and the thread that writes them in batches.

    Where the database is slow or away they wait; what the queue cannot hold is counted and not kept.
    """

    def __init__(self, sessions: sessionmaker[Session], photos: PhotoWriter, counters: Counters, room: Room) -> None:
        self._sessions = sessions
        self._photos = photos
        self._counters = counters
        self._room = room
        self._answers: deque[_Answer] = deque()
        self._waiting: set[UUID] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._rows: list[NewPrediction] = []
        self._pictures: dict[UUID, bytes] = {}
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, for a few seconds at most, and end."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def keep(
        self, said: Prediction, data: bytes, *, version: int, asked: str, seconds: float, with_photo: bool
    ) -> UUID | None:
        """Have an answer written soon; its id, or None where too many wait."""
        if not self._room.take(len(data)):
            self._counters.drop("queue_full")
            return None
        answer = _Answer(uuid4(), datetime.now(UTC), data, version, asked, said, seconds, with_photo)
        with self._changed:
            self._answers.append(answer)
            self._waiting.add(answer.id)
            self._changed.notify_all()
        self._counters.waiting.set(len(self._waiting))
        return answer.id

    def wait_for(self, prediction: UUID, seconds: float) -> None:
        """Wait until an answer is written, if it is one that waits here."""
        with self._changed:
            self._changed.wait_for(lambda: prediction not in self._waiting, seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._answers or self._rows or self._stopping.is_set())
            self._stopping.wait(GATHER_SECONDS if self._write() else REST_SECONDS)
        deadline = time.monotonic() + LAST_SECONDS
        while self._is_left() and time.monotonic() < deadline:
            if not self._write():
                time.sleep(GATHER_SECONDS)
        if self._rows or self._answers:
            left = len(self._rows) + len(self._answers)
            self._counters.drop("database", left)
            logger.warning("%d predictions were not kept: the database did not take them before the end", left)

    def _is_left(self) -> bool:
        return bool(self._rows or self._answers)

    def _write(self) -> bool:
        """Write a batch; False where the database did not take it, and it waits."""
        self._take_batch()
        if not self._rows:
            return True
        try:
            with self._sessions.begin() as session:
                add_predictions(session, self._rows)
        except OUTAGES as error:
            logger.warning("%d predictions wait to be kept: %s", len(self._waiting), str(error).splitlines()[0])
            return False
        except SQLAlchemyError:
            # It would not take them the next time either.
            logger.exception("%d predictions cannot be kept", len(self._rows))
            self._drop()
            return True
        self._counters.kept.inc(len(self._rows))
        for row in self._rows:
            if row.with_photo:
                self._photos.store(row.sha256, self._pictures.pop(row.id))
        self._note_done()
        return True

    def _drop(self) -> None:
        self._counters.drop("database", len(self._rows))
        self._room.give_back(size=sum(map(len, self._pictures.values())))
        self._pictures.clear()
        self._note_done()

    def _take_batch(self) -> None:
        while len(self._rows) < BATCH:
            with self._changed:
                if not self._answers:
                    return
                answer = self._answers.popleft()
            row = _row_of(answer)
            self._rows.append(row)
            if row.with_photo:
                self._pictures[row.id] = answer.data
            else:
                self._room.give_back(size=len(answer.data))

    def _note_done(self) -> None:
        with self._changed:
            self._waiting.difference_update(row.id for row in self._rows)
            self._changed.notify_all()
        self._room.give_back(rows=len(self._rows))
        self._counters.waiting.set(len(self._waiting))
        self._rows = []


def _row_of(answer: _Answer) -> NewPrediction:
    said = answer.said
    return NewPrediction(
        id=answer.id,
        answered_at=answer.answered_at,
        sha256=sha256(answer.data).hexdigest(),
        bytes=len(answer.data),
        version=answer.version,
        asked=answer.asked,
        breed=said.breed,
        probability=said.probability,
        top=[{"breed": one.breed, "probability": one.probability} for one in said.top[:MOST_TOP]],
        sure=said.sure,
        known=said.known,
        milliseconds=1000 * answer.seconds,
        with_photo=answer.with_photo,
    )
