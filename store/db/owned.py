"""What is an owner's: jobs that have not ended, and bytes of data sets. An owner is a key's name, or local."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import BigInteger, func, or_, select
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND
from store.db.models import Dataset, Job, Run
from store.states import State

SENT_BYTES = "sent_bytes"
"""In the payload of a job: of the archive that was sent with it, which waits in the artifact store for it."""
LIVE = frozenset({State.QUEUED, *IN_HAND})


@dataclass(frozen=True)
class OwnersJobs:
    """An owner's jobs that have not ended; a search counts as one, whatever it tries."""

    queued: int
    running: int
    """Those too that are being cancelled."""
    first_ends_seconds: float | None
    """What the running one still takes that is expected to end first; None where nobody knows."""


@dataclass(frozen=True)
class LargestDataset:
    """The one of an owner's datasets that takes the most, all its revisions together."""

    name: str
    bytes: int


def hold_owner(session: Session, owner: str) -> None:
    """Keep others from adding to what is an owner's until the caller's transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"owner:{owner}"))))


def jobs_of_owner(session: Session, owner: str) -> OwnersJobs:
    """Those that are queued or run; the trainings of a search are the search's."""
    is_no_trial = or_(Job.run_id.is_(None), Run.study_id.is_(None))
    live = select(Job.state, Job.progress["eta_seconds"].as_float()).outerjoin(Run, Run.id == Job.run_id)
    rows = session.execute(live.where(Job.owner == owner, Job.state.in_(LIVE), is_no_trial)).all()
    counted = Counter(state == State.QUEUED for state, _ in rows)
    known = [seconds for state, seconds in rows if state != State.QUEUED and seconds is not None]
    return OwnersJobs(counted[True], counted[False], min(known, default=None))


def dataset_bytes(session: Session, owner: str) -> int:
    """Of the owner's datasets, each revision's photos once."""
    each = select(func.max(Dataset.bytes).label("bytes")).where(Dataset.owner == owner).group_by(Dataset.revision)
    return int(session.execute(select(func.sum(each.subquery().c.bytes))).scalar() or 0)


def sent_bytes(session: Session, owner: str) -> int:
    """Of the archives that the owner's jobs which have not ended were sent with."""
    size = Job.payload[SENT_BYTES].astext.cast(BigInteger)
    total = select(func.sum(size)).where(Job.owner == owner, Job.state.in_(LIVE))
    return int(session.execute(total).scalar() or 0)


def largest_dataset(session: Session, owner: str) -> LargestDataset | None:
    """What to delete first; None where there is none, or the sizes are not known."""
    total = func.sum(Dataset.bytes)
    statement = select(Dataset.name, total).where(Dataset.owner == owner, Dataset.bytes.is_not(None))
    found = session.execute(statement.group_by(Dataset.name).order_by(total.desc(), Dataset.name).limit(1)).first()
    return None if found is None else LargestDataset(found[0], int(found[1] or 0))
