"""Jobs of a database that was restored: their workers are elsewhere, or nowhere."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND, hand_back
from store.db.models import Job
from store.states import State


@dataclass(frozen=True)
class QueuedAgain:
    """How many jobs wait now: those that a worker had in hand, and those that waited already."""

    were_running: int
    were_queued: int


def queue_again(session: Session) -> QueuedAgain:
    """Queue what workers had in hand, without counting the attempt, and have the messages of all sent again.

    One that was to be cancelled is cancelled. A search has no worker: the repair process goes on with it.
    """
    lost = select(Job.id, Job.attempt).where(Job.state.in_(IN_HAND), Job.kind != "search").order_by(Job.id)
    error: dict[str, str | None] = {"code": "worker_lost", "detail": "it ran when a backup was made", "hint": None}
    handed = [hand_back(session, job.id, job.attempt, error=error, spare=True) for job in session.execute(lost).all()]
    running = sum(job is not None and job.state == State.QUEUED for job in handed)
    waiting = update(Job).where(Job.state == State.QUEUED).values(published_at=None).returning(Job.id)
    return QueuedAgain(running, len(session.scalars(waiting).all()) - running)
