"""Lanes in the database: whose job is whose, and which workers take them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session, lazyload

from store.db.jobs import IN_HAND
from store.db.models import Job, Worker
from store.lanes import LIGHT_KINDS, UNQUEUED_KINDS, Lane, lane_of
from store.states import State


def is_of(lane: Lane, kind: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition that a column of kinds names one of the lane, as :func:`store.lanes.lane_of` would say."""
    is_light = kind.in_(LIGHT_KINDS)
    return is_light if lane is Lane.LIGHT else ~is_light


def is_queued(kind: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition that a column of kinds names one that workers take."""
    return kind.not_in(UNQUEUED_KINDS)


@dataclass(frozen=True)
class WorkerDevice:
    """What a worker computes on. ``memory_bytes`` is the GPU's, or the host's."""

    kind: Literal["gpu", "cpu"]
    name: str
    memory_bytes: int | None


def keep_worker(
    session: Session,
    name: str,
    lanes: Collection[Lane],
    lease_seconds: float,
    device: WorkerDevice | None = None,
    code_version: str | None = None,
) -> None:
    """Say that a worker lives, until the lease runs out; what is not told of it stays as it was."""
    until = func.now() + timedelta(seconds=lease_seconds)
    values: dict[str, Any] = {"lanes": sorted(lanes), "lease_until": until}
    if device is not None:
        values |= {"device": device.name, "device_kind": device.kind, "memory_bytes": device.memory_bytes}
    if code_version is not None:
        values |= {"code_version": code_version}
    statement = insert(Worker).values(name=name, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[Worker.name], set_=values))


def forget_worker(session: Session, name: str) -> None:
    """Say that a worker takes nothing any more."""
    session.execute(delete(Worker).where(Worker.name == name))


def forget_lost_workers(session: Session) -> None:
    """Drop those whose lease has run out; one that was only away for a while says again that it lives."""
    session.execute(delete(Worker).where(Worker.lease_until < func.now()))


def living_workers(session: Session) -> Sequence[Worker]:
    """The workers whose lease has not run out."""
    return session.scalars(select(Worker).where(Worker.lease_until > func.now()).order_by(Worker.name)).all()


def jobs_in_hand(session: Session) -> Sequence[Job]:
    """The jobs that workers have in hand, under a lease that has not run out; the first that began comes first."""
    statement = select(Job).where(Job.state.in_(IN_HAND), Job.lease_until > func.now()).options(lazyload(Job.run))
    return session.scalars(statement.order_by(Job.started_at, Job.id)).all()


def job_beside(session: Session, job: Job) -> Job | None:
    """Another job that a worker of this job's host and lane has in hand; of two forecasts the first has none beside it.

    A worker's name begins with its host's (:attr:`worker.lifecycle.Host.name`).
    """
    host = (job.worker or "").rpartition(":")[0]
    in_hand = (Job.state.in_(IN_HAND), Job.lease_until > func.now(), Job.id != job.id)
    here = (Job.worker.startswith(f"{host}:", autoescape=True), is_of(lane_of(job.kind), Job.kind))
    beside = select(Job).where(*in_hand, *here, (Job.kind != "forecast") | (Job.id < job.id))
    return session.scalars(beside.order_by(Job.id).limit(1)).first()


def count_workers(session: Session) -> dict[Lane, int]:
    """How many living workers take jobs of each lane."""
    taken = Counter(lane for worker in living_workers(session) for lane in worker.lanes)
    return {lane: taken[lane] for lane in Lane}


def count_jobs(session: Session, *states: State) -> Counter[tuple[Lane, str]]:
    """How many jobs are in each lane and state, or in each of some states; what has none counts 0."""
    counts = select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state)
    counted: Counter[tuple[Lane, str]] = Counter()
    for kind, state, count in session.execute(counts.where(Job.state.in_(states)) if states else counts):
        counted[lane_of(kind), state] += count
    return counted
