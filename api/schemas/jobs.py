"""Jobs, in and out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, model_validator

from api.schemas.architectures import WeightsOut
from api.schemas.fields import Body, DatasetName, ModelName, SentId, ShortText
from api.schemas.forecast import ForecastOut
from api.schemas.studies import PrunedOut, SearchRequest, StudyOut
from ml.config import FineTune, LrFind, ResolvedConfig, TrainConfig
from ml.config_rules import refusal
from store.db.models import Job
from store.db.registry import DEFAULT_ALIAS
from store.db.waiting import Reason, Waiting
from store.lanes import Lane, lane_of
from store.resuming import is_resumable
from store.states import State

RunKind = Literal["train", "lr_find"]
JobKind = Literal[RunKind, "interpret", "forecast", "predict", "import", "search"]


class InterpretConfig(Body):
    """How a run's photos are predicted again."""

    tta: bool = Field(False, description="average each photo's scores over four augmented copies and the plain one")
    dataset: DatasetName | None = Field(
        None, description="predict all photos of this dataset, instead of the validation side of the run's own"
    )


class StartRequest(Body):
    """What makes a run of its own: fresh on a dataset, or from where another run stands."""

    dataset: DatasetName | None = Field(None, description="may be left out with from_run: the same as that run's")
    from_run: SentId | None = Field(
        None, description="start from this run's weights; config inherits that run's settings where it names none"
    )
    name: ShortText | None = None

    @model_validator(mode="after")
    def _is_of_a_dataset(self) -> Self:
        if self.dataset is None and self.from_run is None:
            hint = "Name one, or a run to start from with from_run."
            raise refusal("it is missing, and there is no run to start from", hint, field="dataset")
        return self


class TrainRequest(StartRequest):
    """Train a classifier; makes a run of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "train", "dataset": "oxford-iiit-pet", "name": "resnet34 baseline"},
                {
                    "kind": "train",
                    "config": {"recipe": "one_cycle", "epochs": 3, "lr_max": [1e-6, 1e-4], "freeze": False},
                    "from_run": 12,
                },
            ]
        }
    )

    kind: Literal["train"]
    config: TrainConfig = FineTune()


class LrFindRequest(StartRequest):
    """Search for a learning rate; makes a run of its own, which holds no model."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "lr_find", "from_run": 12, "config": {"freeze": False}}]}
    )

    kind: Literal["lr_find"]
    config: LrFind = LrFind()


class InterpretRequest(Body):
    """Renew the interpretation of a finished run."""

    kind: Literal["interpret"]
    run: SentId
    config: InterpretConfig = InterpretConfig()


class ForecastRequest(Body):
    """How long a training or a search would take; where nothing on record tells, a worker times a few steps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "forecast", "of": {"kind": "train", "dataset": "oxford-iiit-pet", "config": {}}}]
        }
    )

    kind: Literal["forecast"]
    of: Annotated[TrainRequest | LrFindRequest, Discriminator("kind")] = Field(
        description="the job as it would be asked for"
    )


class PredictRequest(Body):
    """Answer for every photo of a dataset; an archive is sent to `POST /jobs/archives`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "predict", "model": "production", "dataset": "oxford-iiit-pet"}]}
    )

    kind: Literal["predict"]
    dataset: DatasetName = Field(description="answer for every photo of this dataset")
    model: ModelName = Field(DEFAULT_ALIAS, description="alias or version; the version of now answers")


JobRequest = Annotated[
    TrainRequest | LrFindRequest | InterpretRequest | ForecastRequest | PredictRequest | SearchRequest,
    Discriminator("kind"),
]


class JobError(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(extra="ignore")

    code: str
    detail: str
    hint: str | None = None


class JobProgress(BaseModel):
    """Where a job stands; ``stage`` is a word for people. It has a time left only while it runs."""

    model_config = ConfigDict(extra="allow")

    stage: str | None = None
    phase: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    eta_seconds: float | None = Field(None, description="that the whole job still takes; null while it is not known")
    stage_eta_seconds: float | None = Field(
        None, description="that this stage still takes, where the whole job's time is not known"
    )

    @classmethod
    def of(cls, job: Job) -> Self | None:
        if job.progress is None:
            return None
        progress = cls.model_validate(job.progress)
        # The last estimate of a job that has ended is of an earlier step; one that stops takes less.
        none = {"eta_seconds": None, "stage_eta_seconds": None}
        return progress if State(job.state) == State.RUNNING else progress.model_copy(update=none)


class HeldJob(BaseModel):
    """A job that a worker has in hand while others wait for that worker."""

    model_config = ConfigDict(from_attributes=True)

    job: int
    kind: str
    run: int | None
    state: State
    eta_seconds: float | None = Field(description="that the whole of it still takes; null while it is not known")


class JobWaiting(BaseModel):
    """What a queued job waits for."""

    model_config = ConfigDict(from_attributes=True)

    lane: Lane = Field(description="train for what needs the device that learns, light for imports")
    reason: Reason = Field(
        description="busy: the workers of the lane have other jobs; starting: one is free "
        "for it; no_worker: no living worker takes jobs of the lane; resting: its last "
        "attempt broke off, and it is tried again in a moment; unpublished: the broker does not know of it yet, "
        "the repair process will tell it"
    )
    ahead: int = Field(description="queued jobs of the lane that come first")
    behind: HeldJob | None = Field(description="where busy, the job in hand that is expected to end first")

    @classmethod
    def of(cls, waiting: Waiting) -> Self:
        return cls.model_validate(waiting)


class AnswersFile(BaseModel):
    """One of the files that a predict job left."""

    name: str
    sha256: str
    bytes: int


class Answers(BaseModel):
    """What a predict job is about, and once it has succeeded what came of it."""

    version: int
    photos: int | None = Field(description="that there were; null until it has succeeded")
    broken: int | None = Field(description="of them, that could not be used: their rows say why")
    files: list[AnswersFile] = Field(description="fetched at `/jobs/{job_id}/answers/{name}`")

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        files = [
            AnswersFile(name=name, sha256=file["sha256"], bytes=file["bytes"])
            for name, file in sorted(payload.get("answers", {}).items())
        ]
        return cls(
            version=payload["version"], photos=payload.get("pictures"), broken=payload.get("broken"), files=files
        )


class JobOut(BaseModel):
    """A job as it stands."""

    id: int
    kind: str
    lane: Lane = Field(description="whose workers take it; of a search, whose workers take its trials")
    run: int | None
    config: InterpretConfig | None = Field(description="what an interpret job is asked to do; null for other kinds")
    state: State
    waiting: JobWaiting | None = Field(description="what a queued job waits for; null in every other state")
    attempt: int
    progress: JobProgress | None
    error: JobError | None
    resumable: bool = Field(description="whether resuming it helps, because what ended it lies outside of it")
    forecast: ForecastOut | None = Field(
        description="what a forecast job that has succeeded came to, by what is on record now; null in lists"
    )
    answers: Answers | None = Field(description="of a predict job; null for other kinds")
    study: StudyOut | None = Field(description="of a search; null for other kinds")
    pruned: PrunedOut | None = Field(description="of a training that a search ended early")
    owner: str = Field(description="the name of the key that posted it; local where none was shown")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    dataset: str | None = Field(description="the dataset that an import makes; null for other kinds")
    request_id: str | None = Field(
        description="of the request that queued it last; logs have it on each line of the job"
    )

    @classmethod
    def of(
        cls,
        job: Job,
        waiting: Mapping[int, Waiting],
        forecast: ForecastOut | None = None,
        studies: Mapping[int, StudyOut] | None = None,
    ) -> Self:
        """From the record: what the queued ones among the jobs wait for, a forecast, and how far searches are."""
        return cls(
            id=job.id,
            kind=job.kind,
            lane=lane_of(job.kind),
            run=job.run_id,
            config=InterpretConfig.model_validate(job.payload.get("config", {})) if job.kind == "interpret" else None,
            state=State(job.state),
            waiting=JobWaiting.of(waiting[job.id]) if job.id in waiting else None,
            attempt=job.attempt,
            progress=JobProgress.of(job),
            error=JobError.model_validate(job.error) if job.error else None,
            resumable=is_resumable(State(job.state), job.error),
            forecast=forecast,
            answers=Answers.of(job.payload) if job.kind == "predict" else None,
            study=(studies or {}).get(job.id),
            pruned=PrunedOut.of(job),
            owner=job.owner,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            dataset=job.payload.get("name") if job.kind == "import" else None,
            request_id=job.request_id,
        )


class PredictConfig(BaseModel):
    """The version that would answer, and how many photos there are."""

    version: int
    photos: int


class DryRun(BaseModel):
    """What a job would do, and how long it would take by what is on record; neither a job nor a run was stored."""

    config: ResolvedConfig | LrFind | InterpretConfig | PredictConfig
    forecast: ForecastOut | None
    forecast_reason: str | None = Field(description="why there is no forecast, and what to do")
    weights: WeightsOut | None = Field(
        None,
        description="the published weights that it would begin with, on the API's machine; null where with none",
    )
