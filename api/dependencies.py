"""What routes are given: the parts of the service that live as long as the app."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast

from anyio import CapacityLimiter
from celery import Celery
from fastapi import Depends, Query, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from api.datasets.archived_photos import ArchivedPhotos
from api.datasets.looks import Looks
from api.datasets.photos import PhotoShelf
from api.datasets.resumable import Uploads
from api.datasets.review_rankings import ReviewRankings
from api.datasets.trials import Trials
from api.figures.png import Painter
from api.http.bodies import Slots
from api.http.keyring import Keyring
from api.http.meter import Meter
from api.http.stopping import Stopping
from api.http.telemetry import Telemetry
from api.kept.afterwards import Afterwards
from api.schemas.fields import Cursor, Limit
from api.serving.batching import Batcher
from api.serving.decoding import Decoding
from api.serving.explaining import Explaining
from api.serving.exports import Exports
from api.serving.predictor import Predictor
from api.serving.shadowing import Shadowing
from ml.decode.images import Limits
from store.artifacts import ArtifactStore
from store.code_version import code_version
from store.db.models import Job
from store.db.waiting import Waiting, waiting_of
from store.dispatch import dispatch_job
from store.settings import Settings

if TYPE_CHECKING:
    from api.sign_in.provider import Provider


@dataclass(frozen=True, kw_only=True)
class Services:
    """The parts, made once for each app."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    artifacts: ArtifactStore
    celery: Celery
    keyring: Keyring
    meter: Meter
    provider: "Provider | None"
    """Whom people sign in with; what checks signatures is imported where there is one."""
    photos: PhotoShelf
    looks: Looks
    rankings: ReviewRankings
    uploads: Uploads
    trials: Trials
    archived: ArchivedPhotos
    painter: Painter
    predictor: Predictor
    batcher: Batcher
    shadowing: Shadowing
    decoding: Decoding
    exports: Exports
    explaining: Explaining
    telemetry: Telemetry
    afterwards: Afterwards
    watchers: CapacityLimiter
    """Threads for the event streams' reads, beside those that serve the other routes."""
    streams: Slots
    stopping: Stopping = field(default_factory=Stopping)
    code_version: str = field(default_factory=code_version)

    @property
    def image_limits(self) -> Limits:
        """What a picture sent to POST /predict may cost."""
        return limits_of(self.settings)

    def publish(self, job: Job) -> dict[int, Waiting]:
        """Tell the workers of a job that was just queued, and what it waits for, by its id.

        Without a broker the repair process will tell them, since the job is on record.
        """
        told = dispatch_job(self.celery, self.sessions, job.id)
        with self.sessions.begin() as session:
            return waiting_of(session, [job], told=[job.id] if told else [])


def limits_of(settings: Settings) -> Limits:
    """What any picture may cost."""
    return Limits(
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        max_memory=settings.decode_bytes,
        max_seconds=settings.decode_seconds,
    )


async def services_of(request: Request) -> Services:  # a thread would be woken for a function that is none
    """The app's parts."""
    return cast("Services", request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True)
class Slice:
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None


def slice_of(limit: Annotated[Limit, Query()] = 50, cursor: Annotated[Cursor | None, Query()] = None) -> Slice:
    """The list parameters that every list takes."""
    return Slice(limit, cursor)


SliceDep = Annotated[Slice, Depends(slice_of)]
