"""Jobs, in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field

from api.schemas.fields import Body, DatasetName, Id, ShortText
from ml.config import FineTune, ResolvedConfig, TrainConfig
from store.db.models import Job
from store.states import State


class InterpretConfig(Body):
    """How the validation pictures are read again."""

    tta: Literal[False] = Field(False, description="averaging over augmented copies is not offered yet")


class TrainRequest(Body):
    """Train a classifier; makes a run of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "train", "dataset": "oxford-iiit-pet", "name": "resnet34 baseline"},
                {
                    "kind": "train",
                    "dataset": "oxford-iiit-pet",
                    "config": {"recipe": "one_cycle", "epochs": 3, "lr_max": [1e-6, 1e-4], "freeze": False},
                    "from_run": 12,
                },
            ]
        }
    )

    kind: Literal["train"]
    dataset: DatasetName
    config: TrainConfig = FineTune()
    from_run: Id | None = Field(None, description="start from this run's weights")
    name: ShortText | None = None


class InterpretRequest(Body):
    """Renew the interpretation of a finished run."""

    kind: Literal["interpret"]
    run: Id
    config: InterpretConfig = InterpretConfig()


JobRequest = Annotated[TrainRequest | InterpretRequest, Discriminator("kind")]


class JobError(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(extra="ignore")

    code: str
    detail: str
    hint: str | None = None


class JobProgress(BaseModel):
    """Where a job stands; ``stage`` is a word for people."""

    model_config = ConfigDict(extra="allow")

    stage: str | None = None
    phase: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps: int | None = None
    eta_seconds: float | None = None


class JobOut(BaseModel):
    """A job as it stands."""

    id: int
    kind: str
    run: int | None
    state: State
    attempt: int
    progress: JobProgress | None
    error: JobError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the record."""
        return cls(
            id=job.id,
            kind=job.kind,
            run=job.run_id,
            state=State(job.state),
            attempt=job.attempt,
            progress=JobProgress.model_validate(job.progress) if job.progress else None,
            error=JobError.model_validate(job.error) if job.error else None,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


class DryRun(BaseModel):
    """What a train job would do; nothing was stored."""

    config: ResolvedConfig | InterpretConfig
    forecast: dict[str, Any] | None
    forecast_reason: str | None
