"""Events that nobody follows any more."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.db.models import Job, JobEvent
from store.states import FINAL

BATCH = 10_000
"""Rows deleted in one transaction, so that none is open for long."""


def delete_old_events(session: Session, *, older_than: timedelta) -> int:
    """Delete events of jobs that ended so long ago, at most ``BATCH``; how many were deleted.

    The changes of state stay: whoever follows such a job is told how it ended.
    """
    ended = select(Job.id).where(Job.state.in_(FINAL), Job.finished_at < func.now() - older_than)
    old = select(JobEvent.id).where(JobEvent.job_id.in_(ended), JobEvent.event != "state").limit(BATCH)
    gone = session.execute(delete(JobEvent).where(JobEvent.id.in_(old)).returning(JobEvent.id))
    return len(gone.all())
