"""What a search for a learning rate found."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from store.db.models import RateFind


class Suggested(BaseModel):
    """A figure for each suggestion, in the order in which the workflow names them; null where there is none."""

    minimum: float | None = None
    steep: float | None = None
    valley: float | None = None
    slide: float | None = None


class LrFindOut(BaseModel):
    """A search. ``lrs``, ``losses`` and ``smoothed`` are the first sweep's, a value a step."""

    model_config = ConfigDict(extra="allow")

    run: int
    phase: int = Field(description="before which phase it ran, from 0; 0 for a search of its own")
    rate: float | None = Field(description='what "auto" uses; null where there is no answer')
    agreement: str = Field(description="of the sweeps: agree, weak or none")
    lrs: list[float]
    losses: list[float | None] = Field(description="of each step's batch; null where it is no number")
    smoothed: list[float | None]
    stopped_early: bool
    suggestions: Suggested = Field(description="the sweeps' geometric median, null without an answer")
    reasons: dict[str, str] = Field({}, description="why, for each suggestion without an answer")
    spread_decades: Suggested = Field(
        Suggested(), description="of each suggestion: log10 of the sweeps' largest over their smallest"
    )
    agreement_reason: str | None = Field(None, description="what the word rests on")
    freeze: bool = Field(description="whether the body was frozen")
    sweeps: list[dict[str, Any]] = Field([], description="each sweep with its own figures and suggestions")

    @classmethod
    def of(cls, found: RateFind) -> Self:
        """From the record."""
        about = {"run": found.run_id, "phase": found.phase, "rate": found.rate, "agreement": found.agreement}
        return cls.model_validate({**found.content, **about})
