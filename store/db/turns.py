"""Whose turn it is: a lane's queue is served owner by owner, so that nobody's first job waits behind another's many.

The next job is of the owner who has the fewest in hand; among equals, of the one who was served longest ago. Of an
owner's own jobs the one that was published first is the next.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from store.db.jobs import IN_HAND
from store.db.lanes import is_of, is_queued
from store.db.models import Job
from store.lanes import Lane
from store.states import State


def hold_turns(session: Session, lane: Lane) -> None:
    """Keep others from claiming a job of the lane until the transaction ends: each sees whom the last served."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"turns:{lane}"))))


def next_in_turn(session: Session, lane: Lane) -> tuple[int, int] | None:
    """The lane's job that is to be claimed next, and its attempts so far; None where none can be claimed now."""
    rested = or_(Job.not_before.is_(None), Job.not_before <= func.clock_timestamp())
    turns = _turns(lane, rested).subquery()
    statement = select(Job.id, Job.attempt).join(turns, turns.c.id == Job.id).order_by(turns.c.place).limit(1)
    found = session.execute(statement).one_or_none()
    return None if found is None else (found.id, found.attempt)


def places_in_turn(session: Session, lane: Lane, job_ids: Collection[int]) -> dict[int, int]:
    """How many queued jobs of the lane come before each of those that are in its queue, as the turns stand now."""
    turns = _turns(lane).subquery()
    found = session.execute(select(turns.c.id, turns.c.place).where(turns.c.id.in_(job_ids)))
    return dict(found.all())


def _turns(lane: Lane, *which: ColumnElement[bool]) -> Select[tuple[int, int]]:
    """Each queued job's id and place, from 0.

    An owner's nth job is served when all others' jobs with as many before them, in hand or queued, have been; of these
    those first whose owners have not been served meanwhile, in the order in which they were served last.
    """
    nth = func.row_number().over(partition_by=Job.owner, order_by=(Job.published_at.nulls_last(), Job.id)) - 1
    of_lane = (Job.state == State.QUEUED, is_queued(Job.kind), is_of(lane, Job.kind))
    queued = select(Job.id, Job.owner, nth.label("nth")).where(*of_lane, *which).cte("in_queue")
    held, served = aliased(Job), aliased(Job)
    in_hand = select(func.count()).select_from(held).where(held.owner == queued.c.owner, held.state.in_(IN_HAND))
    in_hand = in_hand.where(is_queued(held.kind), is_of(lane, held.kind))
    last = select(func.max(served.claimed_at)).where(served.owner == queued.c.owner, is_of(lane, served.kind))
    owners = (
        select(queued.c.owner, in_hand.scalar_subquery().label("in_hand"), last.scalar_subquery().label("served_at"))
        .group_by(queued.c.owner)
        .subquery("owners")
    )
    order = (
        owners.c.in_hand + queued.c.nth,
        queued.c.nth,
        owners.c.served_at.nulls_first(),
        queued.c.owner,
    )
    place = func.row_number().over(order_by=order) - 1
    return select(queued.c.id, place.label("place")).join(owners, owners.c.owner == queued.c.owner)
