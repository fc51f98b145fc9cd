"""What a run's record tells beside its figures: where its weights come from, what went on from them, its rates."""

from pydantic import BaseModel, Field


class Ancestor(BaseModel):
    """A run whose weights led to this one's."""

    id: int
    name: str | None
    kind: str
    recipe: str | None
    error_rate: float | None
    deleted: bool = Field(False, description="whether it was deleted since: it has no record of its own any more")


class PhaseRate(BaseModel):
    """The learning rate of a phase that left it to a search; phases count from 0."""

    phase: int
    rate: float | None = Field(description="null where the search found none")
    agreement: str = Field(description="of the sweeps: agree, weak or none")
    lr_max: tuple[float, float, float] | None = Field(description="what the phase trained at, by parameter group")
    searched_in: int = Field(description="the phase before which the search ran")


class Story(BaseModel):
    """How a run came about and what is to be said of it."""

    lineage: list[Ancestor] = Field(description="the runs that it goes back to, oldest first")
    children: list[int] = Field(description="the runs that started from it")
    cautions: list[str] = Field(description="what to know before believing its figures")
    rates: list[PhaseRate] = Field(description="the rates that searches found; empty where the config gave them all")
