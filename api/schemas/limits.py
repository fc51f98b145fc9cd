"""What the caller may take, and has taken."""

from typing import Literal

from pydantic import BaseModel, Field


class RequestsOut(BaseModel):
    """Requests of a minute."""

    counted_by: Literal["key", "page", "address"] = Field(
        description="page: a browser's session of the key, counted apart from the key itself"
    )
    most: int
    left: int


class JobsAllowedOut(BaseModel):
    """Jobs that have not ended; a search counts as one."""

    most: int
    queued: int
    running: int


class BytesAllowedOut(BaseModel):
    """Bytes stored."""

    most: int
    datasets: int = Field(description="of photos; those of datasets imported before sizes were kept count nothing")
    uploads: int = Field(description="open ones by their whole length, and archives that wait for their jobs")


class LimitsOut(BaseModel):
    """What the caller may take."""

    owner: str = Field(description="the name of the key that was shown; local where none was")
    requests: RequestsOut | None = Field(description="null: they are not counted")
    jobs: JobsAllowedOut
    bytes: BytesAllowedOut
