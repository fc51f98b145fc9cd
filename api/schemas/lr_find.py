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
    agreement: str = Field(description="the word for what the sweeps say of `agreement_of`: agree, weak or none")
    agreement_of: str = Field("valley", description="the suggestion that the word and the rate are of")
    lrs: list[float]
    losses: list[float | None] = Field(description="of each step's batch; null where it is not a number")
    smoothed: list[float | None]
    stopped_early: bool
    suggestions: Suggested = Field(
        description="the sweeps' geometric median; null without an answer, and where they lie more than a decade apart"
    )
    reasons: dict[str, str] = Field({}, description="why, for each suggestion without an answer")
    spread_decades: Suggested = Field(
        Suggested(), description="of each suggestion: log10 of the sweeps' largest over their smallest"
    )
    agreements: dict[str, str] = Field({}, description="the word for each suggestion: agree, weak or none")
    agreement_reason: str | None = Field(None, description="what the word rests on")
    rises_at: float | None = Field(
        None,
        description="the sweeps' geometric median of the rate from which on the loss lies clearly above its start; "
        "null where it does in no more than half of them",
    )
    rises_at_spread_decades: float | None = Field(None, description="log10 of the sweeps' largest over their smallest")
    rises_at_sweeps: int = Field(0, description="sweeps whose loss rises")
    advice: str | None = Field(None, description="what to do where there is no rate, but a rise to stay below")
    freeze: bool = Field(description="whether the body was frozen")
    sweeps: list[dict[str, Any]] = Field([], description="each sweep with its own figures and suggestions")

    @classmethod
    def of(cls, found: RateFind) -> Self:
        about = {"run": found.run_id, "phase": found.phase, "rate": found.rate, "agreement": found.agreement}
        return cls.model_validate({**found.content, **about})
