"""The tables. Everything a run leaves behind that is not a file."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Computed, Double, ForeignKey, Index, Integer, Text, func, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from store.access import LOCAL
from store.db.access_tables import AccessKey  # noqa: F401 - its module's tables are part of the schema
from store.db.audit_table import AuditEntry  # noqa: F401 - as above
from store.db.base import Base, Json
from store.db.kept_tables import KeptPrediction  # noqa: F401 - as above
from store.db.label_review_table import LabelReview  # noqa: F401 - as above
from store.db.revision_number import revision_number
from store.db.study_tables import Study  # noqa: F401 - as above
from store.db.throughput_table import Throughput  # noqa: F401 - as above
from store.db.webhook_tables import Webhook  # noqa: F401 - as above
from store.states import State

_STATES = ", ".join(f"'{state}'" for state in State)


class Dataset(Base):
    """One revision of a named dataset; the newest row of a name is the current one.

    Going back to an earlier revision adds a row again, so that "newest" stays the only rule.
    """

    __tablename__ = "datasets"
    __table_args__ = (Index("ix_datasets_name_id", "name", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    revision: Mapped[str] = mapped_column(Text)
    """sha256 of the manifest's items, hex."""
    drawn: Mapped[bool] = mapped_column(default=False)
    """True where the project drew the pictures itself."""
    label_rule: Mapped[Json]
    vocab: Mapped[list[Any]]
    items: Mapped[int]
    summary: Mapped[Json]
    """ml.data.manifest.Manifest.summary(): counts per breed, sizes, formats, exclusions."""
    made_from: Mapped[Json | None]
    """{"revision", "job", "relabelled", "dropped", "kept", "added"} of a revision that a review made of another."""
    owner: Mapped[str] = mapped_column(Text, default=LOCAL, server_default=LOCAL, index=True)
    """The owner of the import that brought it in."""
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of its photos as they are stored; null of what was imported before this was kept."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revision_number: Mapped[int] = column_property(revision_number(name, id))  # noqa: A003 - its own


class Run(Base):
    """One training or search for a learning rate: its config, where it ran and what came of it."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_error_rate_id", "error_rate", "id"),
        Index("ix_runs_arch_id", "arch", "id"),
        Index("ix_runs_tags", "tags", postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(postgresql.ARRAY(Text), default=list, server_default=text("'{}'"))
    """What people sort runs by: small letters, in the order of the alphabet."""
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(index=True)
    """The run whose weights it started from: on record, or one of ``deleted_runs``."""
    config: Mapped[Json]
    """ml.config.ResolvedConfig as JSON; of an lr_find run, ml.config.LrFind."""
    arch: Mapped[str | None] = mapped_column(Text, Computed("config ->> 'arch'::text", persisted=True))
    """The config's, for lists."""
    device: Mapped[str | None] = mapped_column(Text)
    precision: Mapped[str | None] = mapped_column(Text)
    precision_reason: Mapped[str | None] = mapped_column(Text)
    weights: Mapped[Json | None]
    """{"file", "sha256"} of the pretrained weights, null when trained from scratch."""
    versions: Mapped[Json | None]
    plan: Mapped[Json | None]
    """Item counts and steps, as the worker saw them."""
    checkpoints: Mapped[list[Any] | None]
    """{"key", "step"} of the kept checkpoints, newest first; what is named here and not in the store was lost."""
    train_loss: Mapped[float | None] = mapped_column(Double)
    valid_loss: Mapped[float | None] = mapped_column(Double)
    error_rate: Mapped[float | None] = mapped_column(Double)
    judgement: Mapped[Json | None]
    """ml.judge.fitting.Worth.content(): how far its answers can be trusted."""
    study_id: Mapped[int | None] = mapped_column(index=True)
    """The search that it is a trial of, by its job: such a job is never deleted."""
    trial: Mapped[int | None]
    """Which of that search's trials, from 1."""
    answer_ms: Mapped[float | None] = mapped_column(Double)
    """Milliseconds that its model took to answer one photo on its worker; of a trial whose search asks for that."""
    added: Mapped[Json | None]  # ml.reading.added.AddedReading.content() with "version", of a run that added breeds
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dataset: Mapped[Dataset] = relationship(lazy="joined", innerjoin=True)

    @property
    def vocab(self) -> list[str]:
        """The breeds that its model knows, those that were added with them, in the order of the classes."""
        return sorted(
            {*self.dataset.vocab, *(breed for one in self.config.get("added", ()) for breed in one["breeds"])}
        )


class DeletedRun(Base):
    """What stays of a run that was deleted: what its children are judged by, its version's number, its files' keys.

    Numbers of runs and versions are never given again. Where the files lie is known until they are gone.
    """

    __tablename__ = "deleted_runs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    dataset_id: Mapped[int]
    """No foreign key: it keeps no dataset from being deleted."""
    parent_id: Mapped[int | None]
    config: Mapped[Json]
    error_rate: Mapped[float | None] = mapped_column(Double)
    finished_phases: Mapped[int | None]
    """Of a run that failed and kept a model."""
    version: Mapped[int | None]
    """The number that it was registered under."""
    jobs: Mapped[list[int]] = mapped_column(postgresql.ARRAY(Integer))
    """Its own jobs and interpretations: whose outputs in the artifact store are nobody's now."""
    files: Mapped[list[Any]]
    """{"key", "sha256"} of the files that the record named; empty once they are gone."""
    files_gone_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dataset: Mapped[Dataset] = relationship(
        primaryjoin="foreign(DeletedRun.dataset_id) == Dataset.id", lazy="joined", viewonly=True
    )
    """None where the dataset has gone since."""


class Job(Base):
    """One piece of queued work. A run's own job, the one that is no ``interpret``, carries the run's state."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        Index("ix_jobs_state_lease_until", "state", "lease_until"),
        Index("ix_jobs_owner_claimed_at", "owner", "claimed_at"),
        Index("uq_jobs_own_job_of_run", "run_id", unique=True, postgresql_where=text("kind <> 'interpret'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    """train, lr_find, interpret, forecast, predict, import or search."""
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"), index=True)
    payload: Mapped[Json]
    """What the kind needs beside the run: interpret's config; forecast's config and dataset, and its machine once that
    is known; predict's version with its run, the dataset or the upload, and its answers' files once they are there;
    import's name, source and label rule; search's dataset, what was asked is in ``studies``. Of a trial that its search
    ended early, ``pruned`` is {"study", "trial", "epoch"}. ``accumulation`` is there once the kernel has killed an
    attempt for want of memory: the parts that a batch is cut into since."""
    state: Mapped[str] = mapped_column(Text, default=State.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    """Claims so far; also the fence: a child writes only while the row still has its attempt."""
    max_attempts: Mapped[int] = mapped_column(default=3)
    worker: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None]
    progress: Mapped[Json | None]
    error: Mapped[Json | None]
    """{"code", "detail", "hint"} of the last failure."""
    idempotency_key: Mapped[str | None] = mapped_column(Text, unique=True)
    request_sha256: Mapped[str | None] = mapped_column(Text)
    published_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    """A job whose attempt ended without a verdict rests until then: so long no worker is told of it."""
    request_id: Mapped[str | None] = mapped_column(Text)
    """Of the request that queued it last; the log of everybody who works on it has the same."""
    traceparent: Mapped[str | None] = mapped_column(Text)
    """Its span in that request's trace, as W3C Trace Context writes it: its attempts hang there; null where the request
    was not traced."""
    owner: Mapped[str] = mapped_column(Text, default=LOCAL, server_default=LOCAL)
    """The name of the key that posted it, local where none was shown; of a trial, its search's."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    """When a worker took it last: whose turn is next goes by that."""
    finished_at: Mapped[datetime | None]

    run: Mapped[Run | None] = relationship(lazy="joined")


class Worker(Base):
    """A worker process that takes jobs. It goes with the process, or is left with a lease that has run out."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    """As in ``jobs.worker``."""
    lanes: Mapped[list[str]] = mapped_column(postgresql.ARRAY(Text))
    lease_until: Mapped[datetime]
    """It renews this, whether it has a job in hand or not."""
    device: Mapped[str | None] = mapped_column(Text)
    """Its GPU's name, or its processor's; null of a worker that has not said it."""
    device_kind: Mapped[str | None] = mapped_column(Text)
    """gpu or cpu."""
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of the GPU, or of the host."""
    code_version: Mapped[str | None] = mapped_column(Text)
    """As in ``store.code_version``; null of a worker that has not said it."""


class JobEvent(Base):
    """What a watcher of a job is sent, in order; ids rise within a job in commit order."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job_id_id", "job_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(Text)
    """progress, batch, epoch, trial, state or log."""
    data: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Epoch(Base):
    """One row of the table of epochs."""

    __tablename__ = "epochs"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float] = mapped_column(Double)
    valid_loss: Mapped[float] = mapped_column(Double)
    error_rate: Mapped[float] = mapped_column(Double)
    seconds: Mapped[float] = mapped_column(Double)
    images_per_second: Mapped[float] = mapped_column(Double)
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Most memory held so far: reserved on a GPU, the process's anonymous memory on a CPU."""


class RateFind(Base):
    """A search for a learning rate: an ``lr_find`` run's own (phase 0), or a training's before a phase left to it."""

    __tablename__ = "rate_finds"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[int] = mapped_column(primary_key=True)
    rate: Mapped[float | None] = mapped_column(Double)
    """What "auto" uses; null where there is no answer."""
    agreement: Mapped[str] = mapped_column(Text)
    """agree, weak or none."""
    content: Mapped[Json]
    """ml.reading.agreement.RateSearch.content()."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Batch(Base):
    """One training step. ``train_loss`` is the smoothed loss, ``raw_loss`` the batch's own."""

    __tablename__ = "batches"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    phase: Mapped[int]
    raw_loss: Mapped[float] = mapped_column(Double)
    train_loss: Mapped[float] = mapped_column(Double)
    lr: Mapped[list[float]] = mapped_column(postgresql.ARRAY(Double))
    momentum: Mapped[float] = mapped_column(Double)


class Interpretation(Base):
    """The stored reading of a run's predictions on a dataset; renewing it replaces the row.

    On the run's own dataset these are its validation photos, on another one all pictures.
    """

    __tablename__ = "interpretations"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    vocab: Mapped[list[Any]]
    matrix: Mapped[list[Any]]
    """Counts, rows actual, columns predicted."""
    items: Mapped[list[Any]]
    """One {"item", "path", "actual", "predicted", "loss", "probability_predicted", "probability_actual"} each."""
    valid_loss: Mapped[float] = mapped_column(Double)
    error_rate: Mapped[float] = mapped_column(Double)
    tta: Mapped[bool] = mapped_column(default=False)
    """Whether each picture's probabilities are an average over augmented copies."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Artifact(Base):
    """A file of a run in the artifact store."""

    __tablename__ = "artifacts"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    """model.safetensors, model.json, predictions.jsonl …"""
    key: Mapped[str] = mapped_column(Text)
    """Where it lies below ARTIFACTS_URL."""
    sha256: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ModelVersion(Base):
    """A run that was registered to be served; ``id`` is the version number, which ``register`` gives."""

    __tablename__ = "model_versions"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    run: Mapped[Run] = relationship(lazy="joined", innerjoin=True)


class ModelAlias(Base):
    """A name that points at a version, and at a canary where one has a share of its requests."""

    __tablename__ = "model_aliases"
    __table_args__ = (CheckConstraint("(canary_version IS NULL) = (canary_share IS NULL)", name="canary_whole"),)

    alias: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    canary_version: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    canary_share: Mapped[float | None] = mapped_column(Double)
    """Of the requests, 0 to 1."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AliasMove(Base):
    """A change of what an alias points at; ids rise within an alias in commit order."""

    __tablename__ = "alias_moves"
    __table_args__ = (Index("ix_alias_moves_alias_id", "alias", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    alias: Mapped[str] = mapped_column(Text)
    how: Mapped[str] = mapped_column(Text)
    """pointed, promoted, rolled_back or removed."""
    version: Mapped[int | None]
    """None where the alias was removed; the version may have been deleted since."""
    before_id: Mapped[int | None] = mapped_column(ForeignKey("alias_moves.id"))
    """The move that rolling back returns to; a roll back takes that of the move it returned to."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ServingChoice(Base):
    """How a version is run on a kind of machine, and what was measured there to choose it."""

    __tablename__ = "serving_choices"

    version: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    machine: Mapped[str] = mapped_column(Text, primary_key=True)
    """ml.serve.choice.machine_kind()."""
    content: Mapped[Json | None]
    """ml.serve.choice.Choice.content(); None where nothing could be measured, and the exact way serves."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why nothing could be measured, for people."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ShadowComparison(Base):
    """What a shadow answered beside the version that was asked; every API process adds to the row."""

    __tablename__ = "shadow_comparisons"

    version: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    """The shadow."""
    against: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    """The version whose answers went out."""
    compared: Mapped[int] = mapped_column(BigInteger, default=0)
    agreed: Mapped[int] = mapped_column(BigInteger, default=0)
    """Photos whose first breed is the same."""
    failed: Mapped[int] = mapped_column(BigInteger, default=0)
    dropped: Mapped[int] = mapped_column(BigInteger, default=0)
    """Not compared, because the shadow was busy."""
    difference_sum: Mapped[float] = mapped_column(Double, default=0.0)
    """Of each photo's largest difference of a breed's probability."""
    difference_max: Mapped[float] = mapped_column(Double, default=0.0)
    pairs: Mapped[list[Any]] = mapped_column(default=list)
    """{"served", "shadow", "photos", "difference_sum"} of the pairs of breeds where they differ most often."""
    examples: Mapped[list[Any]] = mapped_column(default=list)
    """{"sha256", "served", "shadow", "difference"} of the photos that differ most."""
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
