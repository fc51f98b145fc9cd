"""An attempt's place in its request's trace: how long its job was queued, how long it took, and what became of it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, sessionmaker

from store.db.models import Job
from store.db.reading import job_alone, queued_at
from store.errors import NotFound
from store.lanes import lane_of
from store.states import State
from store.tracing import Attributes, Kind, Span, past_span, span
from worker.patience import OUTAGES

log = logging.getLogger(__name__)


@contextmanager
def attempt_span(sessions: sessionmaker[Session], job: Job) -> Iterator[Span]:
    """The span of an attempt at a job that was claimed; what it came to is read when it is over."""

    def tell(what: Callable[[Session, Job, Span], None]) -> None:
        """In a transaction; a database that is away, or a job that was deleted, costs the trace, and nothing else."""
        if not opened.is_told:
            return
        try:
            with sessions.begin() as session:
                what(session, job, opened)
        except (*OUTAGES, NotFound):
            log.warning("job %d: its trace lacks what the database would have told", job.id)

    about: Attributes = {
        "pedigree.job.id": job.id,
        "pedigree.job.kind": job.kind,
        "pedigree.job.lane": lane_of(job.kind),
        "pedigree.job.attempt": job.attempt,
    }
    with span(f"attempt {job.kind}", about, kind=Kind.CONSUMER, parent=job.traceparent) as opened:
        tell(_tell_wait)
        yield opened
        tell(_tell_end)


def _tell_wait(session: Session, job: Job, _: Span) -> None:
    """From when it was queued, last, until a worker took it: both by the database's clock."""
    since = queued_at(session, job.id)
    if since is not None and job.claimed_at is not None:
        about = {"pedigree.job.id": job.id}
        ended = job.claimed_at.timestamp()
        past_span("queued", about, began=since.timestamp(), ended=ended, parent=job.traceparent)


def _tell_end(session: Session, job: Job, opened: Span) -> None:
    """The state that it left the job in: queued where there is to be another attempt."""
    now = job_alone(session, job.id)
    state = State(now.state) if now.attempt == job.attempt else State.QUEUED
    opened.note({"pedigree.job.state": state})
    if state is State.FAILED:
        opened.fail(str((now.error or {}).get("code")))
