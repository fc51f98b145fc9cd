"""How long a job would take."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ForecastOut(BaseModel):
    """Durations in seconds. ``low`` and ``high`` are what the fastest and the slowest measurement say.

    They are null where the job, or a part of it, was measured only once.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    seconds_per_epoch: list[float] = Field(description="of each phase, validation included")
    rate_search_seconds: float = Field(description="all searches for a learning rate, their sweeps counted in full")
    total_seconds: float = Field(
        description="all epochs and searches; neither the start of the job's process nor presizing"
    )
    total_seconds_low: float | None
    total_seconds_high: float | None
    peak_memory_bytes: int | None = Field(
        description="reserved on a GPU; on a CPU the anonymous memory of the job's process, without mapped files such "
        "as the presized cache"
    )
    device: str
    precision: str
    source: Literal["stored", "measured"] = Field(
        alias="from", description="epochs of past runs, or (in part) a few steps timed on made-up images"
    )
    basis: str = Field(description="a sentence with what it is made from")
