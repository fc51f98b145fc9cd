"""How busy the lanes are."""

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from store.db.lanes import count_jobs, count_workers
from store.lanes import Lane
from store.states import State


class LaneOut(BaseModel):
    """A lane's workers and what waits for them."""

    workers: int = Field(description="living workers that take jobs of the lane")
    queued: int = Field(description="jobs that wait")


def lanes_now(session: Session) -> dict[Lane, LaneOut]:
    """Every lane as it stands."""
    jobs, workers = count_jobs(session, State.QUEUED), count_workers(session)
    return {lane: LaneOut(workers=workers[lane], queued=jobs[lane, State.QUEUED]) for lane in Lane}
