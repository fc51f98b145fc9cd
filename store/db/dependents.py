"""What hangs on a run: what has to end before it can be deleted, and what loses something by it."""

from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from store.db.models import Artifact, Dataset, Interpretation, Job, ModelAlias, ModelVersion, Run
from store.errors import AppError, Hint, Request
from store.states import FINAL, State, standing

MOST_NAMED = 50
"""Of each kind; the counts are of all."""


@dataclass(frozen=True)
class BusyJob:
    """A job that has not ended and works on the run or with its weights."""

    id: int
    kind: str
    state: State
    run: int | None


@dataclass(frozen=True)
class Child:
    """A run that started from this one's weights. It stays, and keeps its own model where it has one."""

    id: int
    state: State


@dataclass(frozen=True, kw_only=True)
class Dependents:
    """What hangs on a run. The lists name the first of each kind."""

    run: int
    busy: list[BusyJob] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    """That point at its version, or have it as their canary."""
    version: int | None = None
    children: list[Child] = field(default_factory=list)
    child_count: int = 0
    predict_jobs: list[int] = field(default_factory=list)
    """That have ended; their answers stay."""
    predict_job_count: int = 0
    interpretations: list[str] = field(default_factory=list)
    """Names of other datasets that it was interpreted on."""
    files: int = 0
    bytes: int = 0

    @property
    def needs_cascade(self) -> bool:
        """Whether something other than the run itself goes, or loses what it came from."""
        return bool(self.version or self.child_count or self.predict_job_count or self.interpretations)


class Undeletable(AppError):
    """The run cannot be deleted now, or not so; ``dependents`` says what hangs on it."""

    status = 409

    def __init__(self, detail: str, hint: str | Hint, dependents: Dependents) -> None:
        super().__init__(detail, hint)
        self.dependents = dependents


class RunBusy(Undeletable):
    """A job works on the run, or needs its weights."""

    code = "run_busy"
    title = "Run at work"


class RunServing(Undeletable):
    """An alias points at the run's version."""

    code = "run_serving"
    title = "Run in use"


class RunNeeded(Undeletable):
    """Something hangs on the run, and the request did not say that it may go."""

    code = "run_needed"
    title = "Something hangs on the run"


def about(run_id: int) -> ColumnElement[bool]:
    """Whether a job is the run's own, an interpretation of it, its children's own, or answers with its model."""
    children = select(Run.id).where(Run.parent_id == run_id)
    return or_(
        Job.run_id == run_id,
        Job.run_id.in_(children) & (Job.kind != "interpret"),
        (Job.kind == "predict") & (Job.payload["run_id"].astext == str(run_id)),
    )


def dependents_of(session: Session, run_id: int) -> Dependents:
    """What hangs on a run that is on record."""
    version = session.scalar(select(ModelVersion.id).where(ModelVersion.run_id == run_id))
    jobs = select(Job.id, Job.kind, Job.state, Job.run_id).where(about(run_id), Job.state.not_in(FINAL))
    own = Job.kind == Run.kind
    children = select(Run.id, Job.state).join(Job, (Job.run_id == Run.id) & own).where(Run.parent_id == run_id)
    answered = (Job.kind == "predict") & (Job.payload["run_id"].astext == str(run_id)) & Job.state.in_(FINAL)
    files = select(func.count(), func.coalesce(func.sum(Artifact.bytes), 0)).where(Artifact.run_id == run_id)
    count, size = session.execute(files).one()
    return Dependents(
        run=run_id,
        busy=[
            BusyJob(job, kind, State(state), run)
            for job, kind, state, run in session.execute(jobs.order_by(Job.id).limit(MOST_NAMED))
        ],
        aliases=[] if version is None else _aliases_of(session, version),
        version=version,
        children=[
            Child(run, State(state)) for run, state in session.execute(children.order_by(Run.id).limit(MOST_NAMED))
        ],
        child_count=session.scalar(select(func.count()).where(Run.parent_id == run_id)) or 0,
        predict_jobs=list(session.scalars(select(Job.id).where(answered).order_by(Job.id).limit(MOST_NAMED))),
        predict_job_count=session.scalar(select(func.count()).where(answered)) or 0,
        interpretations=_elsewhere(session, run_id),
        files=count,
        bytes=int(size),
    )


def check_deletable(found: Dependents, *, cascade: bool) -> None:
    """Refuse what would take something away from what is at work, in use, or not spoken of.

    Raises:
        RunBusy: a job works on it, or needs its weights.
        RunServing: an alias points at its version.
        RunNeeded: something hangs on it, and there is no ``cascade``.
    """
    if found.busy:
        raise _busy(found)
    if found.aliases:
        named = ", ".join(map(repr, found.aliases))
        detail = f"run {found.run} is version {found.version}, which answers for {named}"
        hint = Hint("Point the alias at another version first, or remove it.", Request("GET", "/models"))
        raise RunServing(detail, hint, found)
    if found.needs_cascade and not cascade:
        instead = "Look at `dependents`, then ask again with cascade=true."
        raise RunNeeded(f"more than its own record hangs on run {found.run}", instead, found)


def _busy(found: Dependents) -> RunBusy:
    first = found.busy[0]
    whose = "" if first.run in {None, found.run} else f" of run {first.run}"
    detail = f"run {found.run} is needed by the {first.kind} job {first.id}{whose}, which {standing(first.state)}"
    if first.state == State.CANCELLING:
        return RunBusy(detail, "Wait until it is cancelled.", found)
    hint = Hint("Wait until it has ended, or cancel it first.", Request("POST", f"/jobs/{first.id}/cancel"))
    return RunBusy(detail, hint, found)


def _aliases_of(session: Session, version: int) -> list[str]:
    pointing = or_(ModelAlias.version == version, ModelAlias.canary_version == version)
    return list(session.scalars(select(ModelAlias.alias).where(pointing).order_by(ModelAlias.alias)))


def _elsewhere(session: Session, run_id: int) -> list[str]:
    own = select(Run.dataset_id).where(Run.id == run_id).scalar_subquery()
    named = select(Dataset.name).join(Interpretation, Interpretation.dataset_id == Dataset.id).distinct()
    named = named.where(Interpretation.run_id == run_id, Interpretation.dataset_id != own)
    return list(session.scalars(named.order_by(Dataset.name).limit(MOST_NAMED)))
