"""An export that is on its way."""

from typing import Literal

from pydantic import BaseModel, Field


class ExportProgress(BaseModel):
    """It is being made: ask again in a moment."""

    state: Literal["making"] = "making"
    stage: str = Field(description="waiting (for another export), fetch, load, convert, check or pack")
    seconds: float = Field(description="since it was asked for")
