"""What follows an answer and keeps nobody waiting: it is counted, and kept where that is wanted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from api.kept.counters import Counters
from api.kept.keeper import MOST_BYTES, MOST_ROWS, Keeper
from api.kept.photo_writer import PhotoWriter
from api.kept.reference import ReadPhoto, ReferenceMaker
from api.kept.room import Room
from api.kept.watch import Watch
from api.schemas.predictions import Prediction
from ml.decode.images import Limits
from store.artifacts import ArtifactStore
from store.errors import AppError
from store.kept_photos import KeptPhotos
from store.settings import Settings

Keep = Literal["no", "photo"]

Prepared = TypeVar("Prepared")


class NotKeptHere(AppError):
    """The request asks for more to be kept than the operator lets it."""

    status = 409
    code = "not_kept_here"
    title = "Not kept here"


@dataclass
class PassingPicture(Generic[Prepared]):
    """One picture on its way: its bytes pass by where it is decoded, and are held only if somebody wants them."""

    prepare: Callable[[bytes, Limits], Prepared]
    is_kept: bool
    is_looked_at: bool
    is_compared: bool = False
    data: bytes | None = None
    begun: float = field(default_factory=perf_counter)

    def __call__(self, data: bytes, limits: Limits) -> Prepared:
        """Decode as ``prepare`` does."""
        self.data = data if self.is_kept or self.is_looked_at or self.is_compared else None
        return self.prepare(data, limits)


class Afterwards:
    """Takes answers as they are given."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        artifacts: ArtifactStore,
        read: ReadPhoto,
        registry: CollectorRegistry,
    ) -> None:
        self._setting = settings.keep_predictions
        counters, room = Counters(registry), Room(rows=MOST_ROWS, size=MOST_BYTES)
        self.photos = KeptPhotos(sessions, artifacts, settings.keep_bytes)
        self._photo_writer = PhotoWriter(self.photos, counters, room)
        self.keeper = Keeper(sessions, self._photo_writer, counters, room)
        self.watch = Watch(sessions, ReferenceMaker(sessions, artifacts, read), registry)

    def start(self) -> None:
        self.watch.start()
        if self._setting != "no":
            self._photo_writer.start()
            self.keeper.start()

    def stop(self) -> None:
        """Write what is left, for a few seconds at most."""
        self.keeper.stop()
        self._photo_writer.stop()
        self.watch.stop()

    def check(self, keep: Keep | None) -> None:
        """Refuse a request before any work is done for it.

        Raises:
            NotKeptHere: it wants its photo to be kept, and none is.
        """
        if keep == "photo" and self._setting != "photos":
            hint = "Leave keep out, or have the service run with PEDIGREE_KEEP_PREDICTIONS=photos."
            raise NotKeptHere("the service keeps no photos", hint, field="query.keep", value=keep)

    def seen(
        self, prepare: Callable[[bytes, Limits], Prepared], keep: Keep | None, *, is_compared: bool = False
    ) -> PassingPicture[Prepared]:
        """What decodes a picture of a request and notices what is wanted of it afterwards.

        Args:
            prepare: decodes it.
            keep: as the request asks for it.
            is_compared: whether a shadow answers it too.
        """
        is_kept = self._setting != "no" and keep != "no"
        return PassingPicture(prepare, is_kept=is_kept, is_looked_at=self.watch.wants_photo(), is_compared=is_compared)

    def note(
        self, said: Prediction, seen: PassingPicture[Prepared], *, version: int, asked: str, keep: Keep | None
    ) -> Prediction:
        """Count an answer; it as it is to be sent, with an id where it is kept."""
        self.watch.add(version, said, seen.data if seen.is_looked_at else None)
        if not seen.is_kept or seen.data is None:
            return said
        seconds, with_photo = perf_counter() - seen.begun, keep == "photo"
        said.id = self.keeper.keep(
            said, seen.data, version=version, asked=asked, seconds=seconds, with_photo=with_photo
        )
        return said
