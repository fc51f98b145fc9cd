"""What queued jobs wait for. However many are asked about, it takes the same few queries."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.db.lanes import jobs_in_hand, living_workers
from store.db.models import Job, Worker
from store.db.turns import places_in_turn
from store.lanes import Lane, lane_of
from store.states import State


class Reason(StrEnum):
    """Why a job is not at work yet."""

    BUSY = "busy"
    """The workers of its lane have other jobs in hand, or other jobs are first."""
    STARTING = "starting"
    """A worker of its lane is free for it."""
    NO_WORKER = "no_worker"
    """No living worker takes jobs of its lane."""
    RESTING = "resting"
    """Its last attempt ended without a verdict; it is tried again in a moment."""
    UNPUBLISHED = "unpublished"
    """The broker has not been told of it yet; the repair process will do that."""


@dataclass(frozen=True)
class JobInHand:
    """A job that a worker has in hand; ``eta_seconds`` is what the whole of it still takes, None while not known."""

    job: int
    kind: str
    run: int | None
    state: State
    eta_seconds: float | None


@dataclass(frozen=True)
class Waiting:
    """What one queued job waits for.

    ``ahead`` counts the queued jobs that come first; ``behind`` is the job in hand that is expected to end first, None
    where none is in the way.
    """

    lane: Lane
    reason: Reason
    ahead: int
    behind: JobInHand | None


@dataclass(frozen=True)
class LaneWorkers:
    """A lane's living workers, those among them that have nothing in hand, and the jobs that the others have."""

    living: int
    free: int
    held: Sequence[JobInHand]

    def wait(self, lane: Lane, ahead: int, *, is_published: bool, is_resting: bool) -> Waiting:
        """What the job waits for that has so many before it."""
        if not self.living and not self.held:
            return Waiting(lane, Reason.NO_WORKER, ahead, None)
        if is_resting:
            return Waiting(lane, Reason.RESTING, ahead, None)
        if not is_published:
            return Waiting(lane, Reason.UNPUBLISHED, ahead, None)
        if ahead < self.free:
            return Waiting(lane, Reason.STARTING, ahead, None)
        return Waiting(lane, Reason.BUSY, ahead, min(self.held, key=_ends, default=None))


def waiting_of(session: Session, jobs: Collection[Job], *, told: Collection[int] = ()) -> dict[int, Waiting]:
    """What those of the jobs that are queued wait for, by their ids.

    Args:
        session: the caller's transaction.
        jobs: any jobs.
        told: those whose message went out after the rows were read.
    """
    queued = {job.id: job for job in jobs if job.state == State.QUEUED}
    if not queued:
        return {}
    workers = _lane_workers(session)
    # After the workers: a job that was claimed between the two looks has no place any more, and is not behind itself.
    places = {**places_in_turn(session, Lane.TRAIN, queued), **places_in_turn(session, Lane.LIGHT, queued)}
    now = session.scalars(select(func.clock_timestamp())).one()

    def wait(job: Job) -> Waiting:
        lane = lane_of(job.kind)
        if job.id not in places:
            return Waiting(lane, Reason.STARTING, 0, None)
        is_published = job.published_at is not None or job.id in told
        is_resting = not is_published and job.not_before is not None and job.not_before > now
        return workers[lane].wait(lane, places[job.id], is_published=is_published, is_resting=is_resting)

    return {job_id: wait(job) for job_id, job in queued.items()}


def _lane_workers(session: Session) -> dict[Lane, LaneWorkers]:
    workers = {worker.name: worker for worker in living_workers(session)}
    held = jobs_in_hand(session)
    return {lane: _workers_of(lane, workers, held) for lane in Lane}


def _workers_of(lane: Lane, workers: Mapping[str, Worker], held: Sequence[Job]) -> LaneWorkers:
    """A worker that ends, or of the version before, is known by its job alone, and counts for the lane of that."""
    takers = {name for name, worker in workers.items() if lane in worker.lanes}
    unknown = [job for job in held if job.worker not in workers and lane_of(job.kind) == lane]
    theirs = [job for job in held if job.worker in takers]
    free = takers - {job.worker for job in theirs}
    return LaneWorkers(len(takers), len(free), [_held(job) for job in [*theirs, *unknown]])


def _held(job: Job) -> JobInHand:
    # A job that is being cancelled does not go on to its end.
    progress = (job.progress or {}) if job.state == State.RUNNING else {}
    return JobInHand(job.id, job.kind, job.run_id, State(job.state), progress.get("eta_seconds"))


def _ends(held: JobInHand) -> tuple[bool, float]:
    """Sorts by when it may end: what is being cancelled, then by the time that is left, then what nobody knows."""
    if held.state == State.CANCELLING:
        return False, 0.0
    return held.eta_seconds is None, held.eta_seconds or 0.0
