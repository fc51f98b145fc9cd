"""Figures of the work on record, for whoever watches the service: what waits how long, what fails, how fast it goes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, case, cast, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND
from store.db.lanes import is_queued, living_workers
from store.db.models import Epoch, Job
from store.lanes import Lane, lane_of
from store.states import State


@dataclass(frozen=True)
class WorkFigures:
    """Of one moment, by the database's clock."""

    oldest_seconds: Mapping[Lane, float]
    """How long the job that has waited longest waits; 0 where none does. One that rests does not wait."""
    again: Mapping[Lane, int]
    """Jobs under way or queued that an attempt has been lost of, or failed."""
    failed: Mapping[str, int]
    """Failed jobs on record by the code of their error."""
    images_per_second: float
    """Of the newest epochs of all running trainings together."""
    peak_memory_bytes: int
    """Most that any of them has held; 0 where it is not known."""
    epochs: int
    """On record."""
    gpu_bytes: Mapping[str, int]
    """Memory of the GPU of each living worker that has one, by the worker's name."""


def work_figures(session: Session) -> WorkFigures:
    """Read them: five statements over jobs that have not ended, failed ones, epochs and workers."""
    speed, memory = _learning(session)
    gpus = {one.name: one.memory_bytes for one in living_workers(session) if one.device_kind == "gpu"}
    return WorkFigures(
        oldest_seconds=_oldest(session),
        again=_again(session),
        failed=_failed(session),
        images_per_second=speed,
        peak_memory_bytes=memory,
        epochs=session.scalar(select(func.count()).select_from(Epoch)) or 0,
        gpu_bytes={name: held for name, held in gpus.items() if held is not None},
    )


def _oldest(session: Session) -> dict[Lane, float]:
    rested = or_(Job.not_before.is_(None), Job.not_before <= func.now())
    # A job that was queued again began to wait when its rest was over, one that was resumed when it was sent.
    since = func.greatest(Job.created_at, Job.not_before, case((Job.attempt > 0, Job.published_at)))
    waits = func.extract("epoch", func.now() - func.min(since))
    statement = select(Job.kind, waits).where(Job.state == State.QUEUED, is_queued(Job.kind), rested)
    oldest = dict.fromkeys(Lane, 0.0)
    for kind, seconds in session.execute(statement.group_by(Job.kind)):
        oldest[lane_of(kind)] = max(oldest[lane_of(kind)], float(seconds))
    return oldest


def _again(session: Session) -> Mapping[Lane, int]:
    in_hand = Job.state.in_(IN_HAND) & (Job.attempt > 1)
    queued = (Job.state == State.QUEUED) & (Job.attempt > 0)
    statement = select(Job.kind, func.count()).where(is_queued(Job.kind), in_hand | queued).group_by(Job.kind)
    counted: Counter[Lane] = Counter()
    for kind, count in session.execute(statement):
        counted[lane_of(kind)] += count
    return {lane: counted[lane] for lane in Lane}


def _failed(session: Session) -> dict[str, int]:
    code = func.coalesce(Job.error["code"].astext, "unknown")
    statement = select(code, func.count()).where(Job.state == State.FAILED).group_by(code)
    return {name: count for name, count in session.execute(statement)}  # noqa: C416 - rows are no pairs to mypy


def _learning(session: Session) -> tuple[float, int]:
    """Images per second of all running trainings together, and the most memory that one of them holds in bytes."""
    running = select(Job.run_id).where(Job.state == State.RUNNING, Job.kind == "train")
    newest = (
        select(Epoch.images_per_second, Epoch.peak_memory_bytes)
        .where(Epoch.run_id.in_(running))
        .ext(distinct_on(Epoch.run_id))
        .order_by(Epoch.run_id, Epoch.phase.desc(), Epoch.epoch.desc())
        .subquery()
    )
    most = cast(func.coalesce(func.max(newest.c.peak_memory_bytes), 0), BigInteger)
    speed, memory = session.execute(select(func.coalesce(func.sum(newest.c.images_per_second), 0.0), most)).one()
    return float(speed), int(memory)
