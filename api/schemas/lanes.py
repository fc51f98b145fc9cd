"""How busy the lanes are."""

from pydantic import BaseModel, Field


class LaneOut(BaseModel):
    """A lane's workers and what waits for them."""

    workers: int = Field(description="living workers that take jobs of the lane")
    queued: int = Field(description="jobs that wait")
