"""What hangs on a run that is to be deleted."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from store.db.dependents import Dependents
from store.states import State


class BusyJobOut(BaseModel):
    """A job that has not ended and works on the run, or needs its weights."""

    id: int
    kind: str
    state: State
    run: int | None = Field(None, description="null or left out for a predict job")


class ChildOut(BaseModel):
    """A run that started from this one's weights. It stays, with its own model."""

    id: int
    state: State


class DependentsOut(BaseModel):
    """What hangs on a run. Lists name the first 50; the counts are of all."""

    run: int
    deletable: Literal["yes", "with_cascade", "no"] = Field(
        description="no: a job works on it or an alias points at its version; both have to end first"
    )
    busy: list[BusyJobOut] = Field(description="jobs to be cancelled, or waited for, first")
    aliases: list[str] = Field(description="that point at its version, or have it as their canary")
    version: int | None = Field(None, description="goes with it; its number is never given again")
    children: list[ChildOut] = Field(description="they stay; one that failed or was cancelled cannot be resumed then")
    child_count: int
    predict_jobs: list[int] = Field(description="that have ended; their answers stay")
    predict_job_count: int
    interpretations: list[str] = Field(description="other datasets that it was interpreted on; those go with it")
    files: int
    bytes: int

    @classmethod
    def of(cls, found: Dependents) -> Self:
        return cls(
            run=found.run,
            deletable=_deletable(found),
            busy=[BusyJobOut(id=one.id, kind=one.kind, state=one.state, run=one.run) for one in found.busy],
            aliases=found.aliases,
            version=found.version,
            children=[ChildOut(id=one.id, state=one.state) for one in found.children],
            child_count=found.child_count,
            predict_jobs=found.predict_jobs,
            predict_job_count=found.predict_job_count,
            interpretations=found.interpretations,
            files=found.files,
            bytes=found.bytes,
        )


def _deletable(found: Dependents) -> Literal["yes", "with_cascade", "no"]:
    if found.busy or found.aliases:
        return "no"
    return "with_cascade" if found.needs_cascade else "yes"
