"""The events of all jobs as one sequence, for a watcher who follows everything."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from store.db.models import JobEvent

SETTLED_SECONDS = 2.0
"""From this age on nothing will come any more that has a smaller id: transactions commit soon after they add events."""


def newest_of_all(session: Session) -> int:
    """The id of the last event that nothing smaller will follow; 0 where there is none."""
    settled = select(func.max(JobEvent.id)).where(_age() >= SETTLED_SECONDS)
    old = session.scalar(settled) or 0
    young = events_of_all_after(session, old)
    return young[-1].id if young else old


def events_of_all_after(session: Session, after_id: int, limit: int = 500) -> Sequence[JobEvent]:
    """Events of every job with a larger id, in order, up to the first that may not be passed on yet.

    Two jobs' transactions may commit in another order than that of their ids. An event behind a gap waits until the
    gap is filled, or until it is so old that nothing will fill it: who asks again for all after the last one that it
    got misses none, as long as no transaction stays open for SETTLED_SECONDS after it added an event.
    """
    statement = select(JobEvent, _age()).where(JobEvent.id > after_id).order_by(JobEvent.id).limit(limit)
    return list(_settled(after_id, [(event, float(seconds)) for event, seconds in session.execute(statement)]))


def _age() -> ColumnElement[int]:
    return func.extract("epoch", func.clock_timestamp() - JobEvent.created_at)


def _settled(after_id: int, rows: Sequence[tuple[JobEvent, float]]) -> Iterator[JobEvent]:
    ids = [after_id, *(event.id for event, _ in rows)]
    for (event, seconds), (before, this) in zip(rows, pairwise(ids), strict=True):
        if this != before + 1 and seconds < SETTLED_SECONDS:
            return
        yield event
