"""The read side: what the API answers with."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, defer, lazyload

from store.db.models import Artifact, Batch, Dataset, Epoch, Interpretation, Job, JobEvent, Run
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.errors import Hint, NotFound, NotReady, Request, WrongKind, one_of
from store.keys import JUDGEMENT, LEFT_BY_TRAINING, MODEL, TO_SERVE, predictions_name
from store.resuming import way_on
from store.states import FINAL, State, standing

Row = TypeVar("Row", Interpretation, Dataset)


def get_job(session: Session, job_id: int) -> Job:
    """A job.

    Raises:
        NotFound: there is none of this id.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", one_of("jobs"))
    return job


def job_alone(session: Session, job_id: int) -> Job:
    """A job without its run, which watchers who ask every second do not read.

    Raises:
        NotFound: as :func:`get_job`.
    """
    job = session.get(Job, job_id, options=[lazyload(Job.run)])
    if job is None:
        raise NotFound(f"there is no job {job_id}", one_of("jobs"))
    return job


def queued_at(session: Session, job_id: int) -> datetime | None:
    """When a job was queued last."""
    said = (JobEvent.job_id == job_id, JobEvent.event == "state", JobEvent.data["state"].astext == State.QUEUED)
    return session.scalar(select(JobEvent.created_at).where(*said).order_by(JobEvent.id.desc()).limit(1))


def list_jobs(
    session: Session,
    *,
    kind: str | None = None,
    state: State | None = None,
    run: int | None = None,
    owner: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Job]:
    """Jobs, newest first; with ``run`` those that are about it, with ``owner`` those that are somebody's.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(Job).order_by(Job.id.desc()).limit(check_limit(limit) + 1)
    if kind is not None:
        statement = statement.where(Job.kind == kind)
    if state is not None:
        statement = statement.where(Job.state == state)
    if run is not None:
        statement = statement.where(Job.run_id == run)
    if owner is not None:
        statement = statement.where(Job.owner == owner)
    if cursor is not None:
        statement = statement.where(Job.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda job: (job.id,))


def events_after(session: Session, job_id: int, after_id: int, limit: int = 500) -> Sequence[JobEvent]:
    """A job's events with a larger id, in order."""
    statement = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > after_id)
    return session.scalars(statement.order_by(JobEvent.id).limit(limit)).all()


def newest_event(session: Session, job_id: int) -> int:
    """The id of a job's last event so far; 0 where it has none."""
    return session.scalar(select(func.max(JobEvent.id)).where(JobEvent.job_id == job_id)) or 0


def get_run(session: Session, run_id: int) -> Run:
    """A run.

    Raises:
        NotFound: there is none of this id.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id}", one_of("runs"))
    return run


def get_runs(session: Session, run_ids: Sequence[int]) -> list[Run]:
    """The runs, in the order of their ids as given.

    Raises:
        NotFound: there is none of one of these ids.
    """
    found = {run.id: run for run in session.scalars(select(Run).where(Run.id.in_(run_ids)))}
    missing = next((run_id for run_id in run_ids if run_id not in found), None)
    if missing is not None:
        raise NotFound(f"there is no run {missing}", one_of("runs"))
    return [found[run_id] for run_id in run_ids]


def held_run(session: Session, run_id: int) -> Run | None:
    """A run that nobody deletes until the caller's transaction ends: for what is about to need it."""
    statement = select(Run).where(Run.id == run_id).with_for_update(of=Run, read=True, key_share=True)
    return session.scalars(statement).one_or_none()


def state_of_run(session: Session, run_id: int) -> Job:
    """The job that carries the run's state.

    Raises:
        NotFound: there is no such run.
    """
    found = jobs_of_runs(session, [run_id])
    if run_id not in found:
        raise NotFound(f"there is no run {run_id}", one_of("runs"))
    return found[run_id]


def jobs_of_runs(session: Session, run_ids: Collection[int]) -> dict[int, Job]:
    """The job that carries the state, for each of the runs."""
    statement = select(Job).join(Run, is_own_job()).where(Run.id.in_(run_ids))
    return {job.run_id: job for job in session.scalars(statement) if job.run_id is not None}


def epochs_of(session: Session, run_id: int) -> Sequence[Epoch]:
    """The table of epochs, in order."""
    return session.scalars(select(Epoch).where(Epoch.run_id == run_id).order_by(Epoch.phase, Epoch.epoch)).all()


def epochs_of_runs(session: Session, run_ids: Collection[int]) -> dict[int, list[Epoch]]:
    """The table of epochs of each of the runs, in order."""
    rows = select(Epoch).where(Epoch.run_id.in_(run_ids)).order_by(Epoch.run_id, Epoch.phase, Epoch.epoch)
    found: dict[int, list[Epoch]] = {run_id: [] for run_id in run_ids}
    for epoch in session.scalars(rows):
        found[epoch.run_id].append(epoch)
    return found


def batches_of(session: Session, run_id: int, every: int = 1) -> Sequence[Batch]:
    """The training steps so far, in order: all, or each ``every``-th and the last of each phase."""
    statement = select(Batch).where(Batch.run_id == run_id).order_by(Batch.step)
    if every > 1:
        last = select(func.max(Batch.step)).where(Batch.run_id == run_id).group_by(Batch.phase)
        statement = statement.where((Batch.step % every == 0) | Batch.step.in_(last))
    return session.scalars(statement).all()


def count_steps(session: Session, run_id: int) -> int:
    """How many training steps the run has made."""
    return session.scalar(select(func.count()).where(Batch.run_id == run_id)) or 0


def artifacts_of(session: Session, run_id: int) -> Sequence[Artifact]:
    """The run's files, by name."""
    return session.scalars(select(Artifact).where(Artifact.run_id == run_id).order_by(Artifact.name)).all()


def get_artifact(session: Session, run_id: int, name: str) -> Artifact:
    """One of the run's files.

    Raises:
        NotFound: there is no such run.
        WrongKind: a run of this kind never has files.
        NotReady: the run has it later.
    """
    artifact = session.get(Artifact, (run_id, name))
    if artifact is None:
        raise _missing(session, run_id, name)
    return artifact


def files_to_serve(session: Session, run_id: int) -> list[Artifact]:
    """The files of a run's model, its weights first, and what its answers are judged by where there is that.

    Raises:
        NotReady: the run has no model files on record.
    """
    judging = for_judging(session, run_id)
    return [*(get_artifact(session, run_id, name) for name in TO_SERVE), *([judging] if judging is not None else [])]


def for_judging(session: Session, run_id: int) -> Artifact | None:
    """The file that answers of a run's model are judged by; of a run of before there was one, its predictions.

    None where these are averages over augmented copies, which say nothing of answers to plain pictures, or missing.
    """
    judgement = session.get(Artifact, (run_id, JUDGEMENT))
    if judgement is not None:
        return judgement
    run = session.get(Run, run_id)
    found = None if run is None else session.get(Interpretation, (run_id, run.dataset_id))
    if found is None or found.tta:
        return None
    return session.get(Artifact, (run_id, predictions_name(found.dataset_id, found.dataset_id)))


def listed_artifact(session: Session, run_id: int, name: str) -> Artifact:
    """One of the files that the run lists, asked for by a name that anybody may have made up.

    Raises:
        NotFound: there is no such run, or it lists no such file.
        WrongKind, NotReady: as :func:`get_artifact`, for a file that a training leaves.
    """
    if name in LEFT_BY_TRAINING:
        return get_artifact(session, run_id, name)
    artifact = session.get(Artifact, (run_id, name))
    if artifact is None:
        get_run(session, run_id)
        raise NotFound(
            f"run {run_id} has no artifact {name!r}", Hint("Name one of its own.", Request("GET", f"/runs/{run_id}"))
        )
    return artifact


def interpretation_of(
    session: Session, run_id: int, dataset: str | None = None, *, with_items: bool = True
) -> Interpretation:
    """The stored reading of the run's predictions: on its own validation photos, or the newest on a named dataset.

    Its items are megabytes of a large dataset: who reads a part of them leaves them out.

    Raises:
        NotFound: there is no such run or dataset.
        WrongKind: a run of this kind is never interpreted.
        NotReady: the run has it later; the detail names the job to wait for, or the hint the one to queue.
    """
    statement = _interpreted(select(Interpretation), run_id, dataset)
    if not with_items:
        statement = statement.options(defer(Interpretation.items, raiseload=True))
    interpretation = session.scalars(statement).one_or_none()
    if interpretation is None:
        raise _not_interpreted(session, run_id, dataset)
    return interpretation


def interpretations_of(session: Session, run_id: int) -> Sequence[tuple[Interpretation, Dataset]]:
    """The run's interpretations that can be asked for, each with its dataset: of a name the newest revision."""
    newest = (
        select(func.max(Dataset.id))
        .join(Interpretation, Interpretation.dataset_id == Dataset.id)
        .where(Interpretation.run_id == run_id)
        .group_by(Dataset.name)
    )
    own = select(Run.dataset_id).where(Run.id == run_id).scalar_subquery()
    statement = (
        select(Interpretation, Dataset)
        .join(Dataset, Dataset.id == Interpretation.dataset_id)
        .where(Interpretation.run_id == run_id, (Dataset.id == own) | Dataset.id.in_(newest))
        .order_by((Dataset.id == own).desc(), Dataset.name)
        # The matrix and the items are large, and a list shows neither.
        .options(defer(Interpretation.matrix), defer(Interpretation.items))
    )
    return [(found, dataset) for found, dataset in session.execute(statement)]


def interpreted_dataset(session: Session, run_id: int, dataset: str | None = None) -> Dataset:
    """The dataset that :func:`interpretation_of` is about; the run's own even before it has been interpreted.

    Raises:
        NotFound, WrongKind, NotReady: as :func:`interpretation_of`.
    """
    if dataset is None:
        return get_run(session, run_id).dataset
    found = session.scalars(_interpreted(select(Dataset), run_id, dataset)).one_or_none()
    if found is None:
        raise _not_interpreted(session, run_id, dataset)
    return found


def _interpreted(statement: Select[Row], run_id: int, dataset: str | None) -> Select[Row]:
    """Narrow a query to the run's interpretation on its own dataset, or the newest on a named one."""
    chosen = Dataset.id == Run.dataset_id if dataset is None else Dataset.name == dataset
    joined = statement.select_from(Interpretation).join(Run, Run.id == Interpretation.run_id)
    joined = joined.join(Dataset, Dataset.id == Interpretation.dataset_id)
    return joined.where(Run.id == run_id, chosen).order_by(Dataset.id.desc()).limit(1)


def _not_interpreted(session: Session, run_id: int, dataset: str | None) -> NotFound | WrongKind | NotReady:
    what = "interpretation" if dataset is None else f"interpretation on dataset {dataset!r}"
    error = _missing(session, run_id, what)
    if dataset is None or not isinstance(error, NotReady) or not holds_model(session, state_of_run(session, run_id)):
        return error
    ids = session.scalars(select(Dataset.id).where(Dataset.name == dataset)).all()
    if not ids:
        return NotFound(f"there is no dataset {dataset!r}", hint=one_of("datasets"))
    asked = Job.payload["dataset_id"].astext.in_([str(one) for one in ids])
    statement = select(Job).where(Job.run_id == run_id, Job.kind == "interpret", asked).order_by(Job.id.desc())
    job = session.scalars(statement.limit(1)).first()
    if job is not None and job.state in {State.QUEUED, State.RUNNING}:
        return NotReady(
            f"run {run_id} has no {what} yet: job {job.id} {standing(job.state)}", f"Wait for job {job.id}."
        )
    ended = f": job {job.id} {standing(job.state)}" if job is not None else ""
    asking = Request("POST", "/jobs", {"kind": "interpret", "run": run_id, "config": {"dataset": dataset}})
    return NotReady(f"run {run_id} has no {what}{ended}", Hint("Interpret it there first.", asking))


def _missing(session: Session, run_id: int, what: str) -> NotFound | WrongKind | NotReady:
    """The error for a run without something that trained runs have."""
    try:
        run = get_run(session, run_id)
    except NotFound as error:
        return error
    if run.kind != "train":
        return WrongKind(f"run {run_id} is of kind {run.kind} and never has {what}", hint="Ask a run of kind train.")
    return not_ready(session, run_id, what)


def not_ready(session: Session, run_id: int, what: str) -> NotReady:
    """The error for a run without something that it has later; names the job to wait for.

    Raises:
        NotFound: there is no such run.
    """
    job = state_of_run(session, run_id)
    yet = "" if job.state in FINAL else " yet"
    return NotReady(f"run {run_id} has no {what}{yet}: its job {job.id} {standing(job.state)}", hint=wait_for(job))


def wait_for(job: Job) -> Hint:
    """What to do for what a job has not brought: wait, or what helps after it failed or was cancelled."""
    if job.state in {State.FAILED, State.CANCELLED}:
        return way_on(job.id, job.error)
    return Hint(f"Wait for job {job.id}.")


def holds_model(session: Session, job: Job) -> bool:
    """Whether a training, by the job that carries its state, left weights.

    It did where it succeeded, and where it failed after phases whose model was kept.
    """
    if job.state == State.FAILED:
        return session.get(Artifact, (job.run_id, MODEL)) is not None
    return job.state == State.SUCCEEDED


def is_own_job() -> ColumnElement[bool]:
    """What joins a run with the job that carries its state."""
    return and_(Job.run_id == Run.id, Job.kind == Run.kind)
