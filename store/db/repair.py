"""What `worker.repair` and the workers look for: jobs whose worker, message or last sign of life is gone."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND, hand_back
from store.db.lanes import is_of, is_queued
from store.db.models import Job, JobEvent
from store.lanes import Lane
from store.states import State

BATCH = 100
"""Rows looked at in one transaction; the rest waits for the next round."""
LOST = "worker_lost"
"""The code of what failed because its lease had run out."""


def hand_back_expired(session: Session) -> list[Job]:
    """Take jobs whose lease has run out from their workers; the jobs as they are now.

    Rows that another process has in hand are passed over, so two do not meet.
    """
    statement = (
        select(Job)
        .where(Job.state.in_(IN_HAND), Job.lease_until < func.now())
        .order_by(Job.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True, of=Job)
    )
    found = [(job.id, job.attempt, job.worker) for job in session.scalars(statement)]
    handed = [hand_back(session, job_id, attempt, error=_lost(worker)) for job_id, attempt, worker in found]
    return [job for job in handed if job is not None]


def unpublished_jobs(session: Session, lane: Lane, *, older_than_seconds: float) -> Sequence[int]:
    """Queued jobs of a lane that the broker was never told of, except those whose maker may be about to."""
    unborn = func.now() - timedelta(seconds=older_than_seconds)
    return _queued(session, lane, Job.published_at.is_(None), Job.created_at < unborn)[:BATCH]


def jobs_without_message(session: Session, lane: Lane, messages: int, *, older_than_seconds: float) -> Sequence[int]:
    """Queued jobs of a lane that were published a while ago, as many as are more than its ``messages``.

    Any message brings a worker to the lane's next job, so that they are counted, and which job one names is nothing.
    """
    published = _queued(session, lane, Job.published_at < func.now() - timedelta(seconds=older_than_seconds))
    return published[: max(0, len(published) - messages)][:BATCH]


def seconds_silent(session: Session, job_id: int) -> float:
    """How long ago the last event of a job was written, by the database's clock."""
    newest = select(JobEvent.created_at).where(JobEvent.job_id == job_id).order_by(JobEvent.id.desc()).limit(1)
    ago = session.scalar(select(func.clock_timestamp() - newest.scalar_subquery()))
    return ago.total_seconds() if ago is not None else 0.0


def has_verdict_of(session: Session, job_id: int, attempt: int) -> bool:
    """Whether a job has ended by the word of this attempt's process; else it was taken from the attempt."""
    job = session.get(Job, job_id, populate_existing=True)
    if job is None or job.attempt != attempt:
        return False
    return job.state == State.SUCCEEDED or (job.state == State.FAILED and (job.error or {}).get("code") != LOST)


def awaited_uploads(session: Session) -> set[str]:
    """Keys of uploads that a job which has not ended still needs."""
    source = Job.payload["source"]
    keys = select(source["key"].astext, source["labels"].astext, Job.payload["upload"].astext)
    waiting = keys.where(Job.kind.in_(["import", "predict"]), Job.state.in_([State.QUEUED, *IN_HAND]))
    return {key for row in session.execute(waiting) for key in row if key is not None}


def _queued(session: Session, lane: Lane, *which: ColumnElement[bool]) -> Sequence[int]:
    rested = or_(Job.not_before.is_(None), Job.not_before <= func.now())
    queued = select(Job.id).where(Job.state == State.QUEUED, is_queued(Job.kind), is_of(lane, Job.kind), rested, *which)
    return session.scalars(queued.order_by(Job.id)).all()


def _lost(worker: str | None) -> dict[str, str | None]:
    return {
        "code": LOST,
        "detail": f"worker {worker} stopped answering, on the last attempt",
        "hint": "Look at that machine, then resume the job.",
    }
