"""Runs and what can be read out of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.judgement import JudgementOut
from api.schemas.lineage import PhaseRate, Story
from api.schemas.new_breeds import AddedOut
from api.schemas.run_defaults import changed_settings
from api.schemas.scores import Scoring
from api.schemas.studies import StudyOfRun
from ml.config import ResolvedConfig
from ml.config_fields import in_order
from ml.reading.chance import Chance
from ml.reading.curves import PlannedRun, Word, read_curves
from store.db.models import Artifact, Dataset, Epoch, Job, Run
from store.states import State


class RunDataset(BaseModel):
    """Which pictures a run saw. ``drawn`` is true where the project drew them itself."""

    name: str
    revision: str
    revision_number: int = Field(description="which of the name's revisions it is, from 1")
    drawn: bool
    breeds: int
    items: int

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        return cls(
            name=dataset.name,
            revision=dataset.revision,
            revision_number=dataset.revision_number,
            drawn=dataset.drawn,
            breeds=len(dataset.vocab),
            items=dataset.items,
        )


class RunSummary(BaseModel):
    """A run in a list. ``job`` is the job that carries its state."""

    id: int
    kind: str
    name: str | None
    state: State
    job: int
    arch: str
    dataset: RunDataset
    parent: int | None
    study: StudyOfRun | None = Field(description="the search that it is a trial of")
    tags: list[str] = Field(description="what people sort runs by", examples=[["baseline", "good"]])
    note: str | None
    error_rate: float | None
    error_rate_margin: float | None = Field(
        description="in 95 of 100 cases the true error rate lies no further away: two standard errors, from how many "
        "photos the run was validated on",
        examples=[0.026],
    )
    valid_loss: float | None
    train_loss: float | None
    recipe: str | None = Field(description="null for a run that trains nothing")
    created_at: datetime
    started_at: datetime | None = Field(description="of the first attempt; null while it waits for a worker")
    finished_at: datetime | None
    seconds: float | None = Field(description="from started_at to finished_at; null before it has ended")
    spark: list[float] = Field(
        description="the error rate after each epoch so far; of more than 24 epochs the last of 24 equal parts"
    )

    @classmethod
    def of(cls, run: Run, job: Job, spark: Sequence[float]) -> Self:
        return cls(**_summary(run, job, spark))


class ArtifactOut(BaseModel):
    """A file that the run left in the artifact store."""

    name: str
    sha256: str
    bytes: int


class CurveOut(BaseModel):
    """What the curves of a phase say, in a word and a sentence; ``phase`` counts from 0."""

    model_config = ConfigDict(from_attributes=True)

    phase: int | None = Field(description="null: the run as a whole")
    word: Word
    sentence: str

    @classmethod
    def of(cls, run: Run, epochs: Sequence[Epoch], found: Sequence[PhaseRate], before: Epoch | None) -> list[Self]:
        """Read the table of epochs; nothing where there is none.

        ``found`` are the rates that searches found, ``before`` is the last comparable epoch of the parent.
        """
        if not epochs or run.plan is None:
            return []
        readings = read_curves(epochs, run.plan["valid_items"], _asked(run, found, before))
        return [cls.model_validate(one) for one in readings]


def _asked(run: Run, found: Sequence[PhaseRate], before: Epoch | None) -> PlannedRun:
    config = ResolvedConfig.model_validate(run.config)
    searched = {one.phase: None if one.lr_max is None else max(one.lr_max) for one in found}
    return PlannedRun(
        loss=config.loss,
        breeds=len(run.vocab),
        pretrained=config.pretrained,
        epochs=[phase.epochs for phase in config.phases],
        rates=[
            max(phase.lr_max) if phase.auto is None else searched.get(number)
            for number, phase in enumerate(config.phases)
        ],
        before=before,
    )


class InterpretationOut(BaseModel):
    """An interpretation that is stored; without ``?dataset=`` the routes answer with the one of side validation."""

    dataset: str
    side: Literal["validation", "all"] = Field(description="the run's own validation photos, or all of the dataset's")
    tta: bool = Field(description="whether the scores are averages over augmented copies")
    error_rate: float
    job: int = Field(description="which made it: the run's own, or an interpret job")


class RunOut(RunSummary, Story):
    """A run with everything that made it. All of the plan is null until a worker has made it."""

    added: AddedOut | None = Field(
        description="what came of breeds that it added to its parent's; null of other runs, and before it has ended"
    )
    config: dict[str, Any] = Field(description="the resolved config")
    changed: dict[str, Any] = Field(
        description="the config's settings that are not the recipe's defaults: dotted name and that default",
        examples=[{"size": 224, "augment.max_rotate": 10.0}],
    )
    device: str | None
    precision: str | None
    precision_reason: str | None
    weights: dict[str, Any] | None
    versions: dict[str, Any] | None
    plan: dict[str, Any] | None
    seed: int
    artifacts: list[ArtifactOut]
    rate_searches: list[int] = Field(
        description="phases, from 0, before which a search for a rate is on record; of an lr_find: 0 once it has ended"
    )
    curves: list[CurveOut]
    interpretations: list[InterpretationOut] = Field(description="the run's own first")
    judgement: JudgementOut | None = Field(
        description="how far its answers can be trusted; null before it has ended, and of runs of earlier versions"
    )

    @classmethod
    def of_record(
        cls,
        run: Run,
        job: Job,
        *,
        artifacts: Sequence[Artifact],
        rate_searches: Sequence[int],
        story: Story,
        epochs: Sequence[Epoch],
        before: Epoch | None,
        interpretations: list[InterpretationOut],
        spark: Sequence[float],
    ) -> Self:
        """From the record; ``before`` as in the curves."""
        return cls(
            **_summary(run, job, spark),
            **dict(story),
            added=AddedOut.of(run.added),
            config=in_order(run.config),
            changed=changed_settings(run.config),
            device=run.device,
            precision=run.precision,
            precision_reason=run.precision_reason,
            weights=run.weights,
            versions=run.versions,
            plan=run.plan,
            seed=run.config["seed"],
            artifacts=[ArtifactOut(name=one.name, sha256=one.sha256, bytes=one.bytes) for one in artifacts],
            rate_searches=list(rate_searches),
            curves=CurveOut.of(run, epochs, story.rates, before),
            interpretations=interpretations,
            judgement=JudgementOut.of(run.judgement),
        )


def _summary(run: Run, job: Job, spark: Sequence[float]) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "name": run.name,
        "state": State(job.state),
        "job": job.id,
        "arch": run.config["arch"],
        "dataset": RunDataset.of(run.dataset),
        "parent": run.parent_id,
        "study": _study(run),
        "tags": run.tags,
        "note": run.note,
        "error_rate": run.error_rate,
        "error_rate_margin": _margin(run),
        "valid_loss": run.valid_loss,
        "train_loss": run.train_loss,
        "recipe": run.config.get("recipe"),
        "created_at": run.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": _seconds(job.started_at, job.finished_at),
        "spark": list(spark),
    }


def _study(run: Run) -> StudyOfRun | None:
    if run.study_id is None or run.trial is None:
        return None
    return StudyOfRun(job=run.study_id, trial=run.trial)


def _margin(run: Run) -> float | None:
    items = (run.plan or {}).get("valid_items")
    return Chance(items).of_error(run.error_rate) if items and run.error_rate is not None else None


def _seconds(started: datetime | None, finished: datetime | None) -> float | None:
    return (finished - started).total_seconds() if started and finished else None


class EpochOut(BaseModel):
    """One row of the table of epochs; ``phase`` and ``epoch`` count from 0."""

    model_config = ConfigDict(from_attributes=True)

    phase: int
    epoch: int
    train_loss: float
    valid_loss: float
    error_rate: float
    seconds: float
    images_per_second: float
    peak_memory_bytes: int | None = Field(
        description="so far: reserved on a GPU; on a CPU the process's anonymous memory, as seen at each step, without "
        "mapped files such as the presized cache"
    )


class Batches(BaseModel):
    """Steps, a column a figure; ``lr`` has one rate for each parameter group, ``train_loss`` is smoothed."""

    step: list[int]
    phase: list[int]
    raw_loss: list[float]
    train_loss: list[float]
    lr: list[list[float]]
    momentum: list[float]


class Metrics(BaseModel):
    """A run's figures so far."""

    epochs: list[EpochOut]
    batches: Batches
    steps: int = Field(description="made so far; `batches` has all of them or, as `every` says, some")
    drawn: bool = Field(description="true where the run's pictures are drawn, not photographed")


class ConfusedOut(BaseModel):
    """How often one breed was taken for another."""

    actual: str
    predicted: str
    count: int


class ClassScoreOut(BaseModel):
    """One breed's scores; null where nothing was guessed or nothing was there."""

    breed: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


class Confusion(Scoring):
    """The confusion matrix over the photos of a stored interpretation, with what to read in it first."""

    dataset: RunDataset = Field(description="whose photos")
    side: Literal["validation", "all"] = Field(description="the run's own validation photos, or all of the dataset's")
    tta: bool = Field(description="whether the scores are averages over augmented copies")
    trained_on: int = Field(
        description="how many of these very photos the model was trained on, now or in a run that it goes back to"
    )
    vocab: list[str]
    matrix: list[list[int]]
    rows: str = "actual"
    columns: str = "predicted"
    n: int
    error_rate: float
    macro_error: float | None = Field(description="the mean of the breeds' error rates, each breed counting alike")
    most_confused: list[ConfusedOut]
    per_class: list[ClassScoreOut]
    drawn: bool = Field(description="true where the pictures are drawn, not photographed")


class TopLoss(BaseModel):
    """One of the photos that the model was most wrong about."""

    item: int = Field(description="position in the dataset, from 0")
    path: str = Field(description="path in the dataset", examples=["photos/Birman_12.jpg"])
    actual: str
    predicted: str
    loss: float | None = Field(description="null where it is not a number")
    probability_predicted: float
    probability_actual: float
    trained_on: bool = Field(False, description="whether the model was trained on this very photo")
    image: str = Field(description="path of the picture", examples=["/runs/12/items/345/image"])
