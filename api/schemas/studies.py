"""Searches over settings: what is asked, how far one is, and its trials."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.fields import DatasetName, ShortText
from ml.study.best import best_of
from ml.study.plan import StudyPlan
from store.db.models import Job
from store.db.study_tables import Study, StudyTrial
from store.states import FINAL, State

TrialOutcome = Literal["done", "pruned", "cut", "failed", "cancelled", "stopped", "refused"]
EndedBy = Literal["trials", "time", "space"]
OUTCOME = (
    "done: trained to its end; pruned: ended early by the search; cut: ended as the time was over; failed: its job "
    "failed; cancelled: somebody cancelled its job; stopped: put down with the search, goes on when that is resumed; "
    "refused: its settings do not fit each other"
)


class SearchRequest(StudyPlan):
    """Search over settings: trainings, one after the other, each with settings that those before it speak for.

    The best becomes a version without an alias, unless `register_best` is false.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "search",
                    "dataset": "oxford-iiit-pet",
                    "space": {"base_lr": {"low": 1e-4, "high": 1e-2, "log": True}, "size": [128, 160, 192]},
                    "trials": 20,
                    "minutes": 120,
                }
            ]
        }
    )

    kind: Literal["search"]
    dataset: DatasetName
    name: ShortText | None = None

    def plan(self) -> StudyPlan:
        """The search alone."""
        return StudyPlan.model_validate(self.model_dump(by_alias=True, exclude={"kind", "dataset", "name"}))


class PrunedOut(BaseModel):
    """Which search ended a training early, as which of its trials, and after which epoch, from 1."""

    study: int
    trial: int
    epoch: int

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """From the record; one that was resumed by hand goes on."""
        pruned = job.payload.get("pruned")
        is_ended = job.state in {State.CANCELLING, State.CANCELLED}
        return cls.model_validate(pruned) if pruned and is_ended else None


class StudyOfRun(BaseModel):
    """The search that a run is a trial of, by its job, and which of its trials."""

    job: int
    trial: int


class BestTrial(BaseModel):
    """The best trial so far."""

    trial: int
    run: int
    value: float
    settings: dict[str, Any]


class TrialCounts(BaseModel):
    """How many trials came to what."""

    running: int = Field(0, description="under way, or waiting for a worker")
    done: int = 0
    pruned: int = 0
    cut: int = 0
    failed: int = 0
    cancelled: int = 0
    stopped: int = 0
    refused: int = 0


class StudyOut(BaseModel):
    """A search as it stands."""

    name: str | None
    asked: StudyPlan
    counts: TrialCounts = Field(description=OUTCOME)
    best: BestTrial | None
    spent_seconds: float = Field(description="how long it has been at work")
    seconds_left: float | None = Field(description="of its minutes; null once it has ended")
    ended_by: EndedBy | None = Field(description="what was used up: its trials, its time, or all settings there are")
    version: int | None = Field(description="the model version that the best trial's run became")

    @classmethod
    def of(cls, job: Job, study: Study, trials: Sequence[StudyTrial]) -> Self:
        plan = StudyPlan.model_validate(study.asked)
        left = max(0.0, plan.minutes * 60 - study.spent_seconds)
        return cls.model_validate(
            {
                "name": study.name,
                "asked": plan,
                "counts": _counts(trials),
                "best": _best(plan, trials),
                "spent_seconds": study.spent_seconds,
                "seconds_left": None if job.state in FINAL else left,
                "ended_by": study.ended_by,
                "version": study.version,
            }
        )


class TrialOut(BaseModel):
    """A trial of a search."""

    trial: int
    run: int | None = Field(description="null where its settings were refused, or its run was deleted")
    settings: dict[str, Any]
    state: State | None = Field(description="of its run's job; null where there is none")
    outcome: TrialOutcome | None = Field(description=f"{OUTCOME}; null while it goes on")
    value: float | None = Field(description="what is sought to be low; of a trial that was pruned, where it was")
    best: bool
    epochs: int
    curve: list[float | None] = Field(description="what is sought to be low, after each epoch")
    answer_ms: float | None = Field(description="to answer one photo, where the search has a limit for it")
    pruned_epoch: int | None = Field(description="after which epoch, from 1, it was pruned")
    reason: str | None = Field(description="in words, where it came to nothing")
    created_at: datetime
    ended_at: datetime | None


class TrialsOut(BaseModel):
    """All trials of a search, in order."""

    objective: str
    items: list[TrialOut]
    next_cursor: None = None

    @classmethod
    def of(cls, study: Study, trials: Sequence[StudyTrial], jobs: dict[int, Job]) -> Self:
        """From the record; ``jobs`` by their runs."""
        plan = StudyPlan.model_validate(study.asked)
        best = best_of(plan, trials)
        return cls(objective=plan.objective, items=[_trial(one, jobs, is_best=one is best) for one in trials])


def _trial(trial: StudyTrial, jobs: dict[int, Job], *, is_best: bool) -> TrialOut:
    job = jobs.get(trial.run_id) if trial.run_id is not None else None
    return TrialOut.model_validate(
        {
            "trial": trial.number,
            "run": trial.run_id,
            "settings": trial.settings,
            "state": None if job is None else State(job.state),
            "outcome": trial.outcome,
            "value": trial.value,
            "best": is_best,
            "epochs": len(trial.curve),
            "curve": trial.curve,
            "answer_ms": trial.answer_ms,
            "pruned_epoch": trial.pruned_epoch,
            "reason": trial.reason,
            "created_at": trial.created_at,
            "ended_at": trial.ended_at,
        }
    )


def _counts(trials: Sequence[StudyTrial]) -> dict[str, int]:
    names = [trial.outcome or "running" for trial in trials]
    return {name: names.count(name) for name in names}


def _best(plan: StudyPlan, trials: Sequence[StudyTrial]) -> dict[str, Any] | None:
    best = best_of(plan, trials)
    if best is None:
        return None
    return {"trial": best.number, "run": best.run_id, "value": best.value, "settings": best.settings}
