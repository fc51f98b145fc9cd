"""Searches over settings on record: their trials, and what is read of these to move a search on."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND, create_job
from store.db.models import Job, Run
from store.db.reading import get_job
from store.db.study_tables import Study, StudyTrial
from store.errors import Hint, Request, WrongKind
from store.states import State

KIND = "search"
_LIVE = [State.QUEUED, *IN_HAND]


def add_study(session: Session, job_id: int, *, dataset_id: int, name: str | None, asked: dict[str, object]) -> Study:
    """What the job is to search."""
    study = Study(job_id=job_id, dataset_id=dataset_id, name=name, asked=asked, spent_seconds=0.0, since_trial=0)
    session.add(study)
    session.flush()
    return study


def live_studies(session: Session) -> Sequence[int]:
    """The jobs of the searches that have not ended."""
    return session.scalars(select(Job.id).where(Job.kind == KIND, Job.state.in_(_LIVE)).order_by(Job.id)).all()


def held_study(session: Session, job_id: int) -> tuple[Job, Study] | None:
    """A search that nobody else moves on or ends until the caller's transaction ends.

    None where it has ended, or somebody else has it in hand.
    """
    statement = select(Job).where(Job.id == job_id, Job.kind == KIND, Job.state.in_(_LIVE))
    held = statement.with_for_update(of=Job, skip_locked=True).execution_options(populate_existing=True)
    job = session.scalars(held).one_or_none()
    return None if job is None else (job, session.get_one(Study, job_id, populate_existing=True))


def get_study(session: Session, job_id: int) -> tuple[Job, Study]:
    """A search with its job.

    Raises:
        NotFound: there is no such job.
        WrongKind: it is of another kind.
    """
    job = get_job(session, job_id)
    study = session.get(Study, job_id)
    if study is None:
        detail = f"job {job_id} is of kind {job.kind} and has no trials"
        raise WrongKind(detail, Hint("Name a job of kind search.", Request("GET", "/jobs?kind=search")))
    return job, study


def studies_of(session: Session, job_ids: Collection[int]) -> dict[int, Study]:
    """Those of the jobs that are searches."""
    if not job_ids:
        return {}
    return {one.job_id: one for one in session.scalars(select(Study).where(Study.job_id.in_(job_ids)))}


def trials_of(session: Session, job_id: int) -> Sequence[StudyTrial]:
    """A search's trials, in order."""
    return session.scalars(select(StudyTrial).where(StudyTrial.study_id == job_id).order_by(StudyTrial.number)).all()


def add_trial_run(session: Session, trial: StudyTrial, run: Run, *, owner: str, max_attempts: int) -> Job:
    """Queue a trial's training for its search's owner, as any other training is; publish it after the commit."""
    session.add(run)
    session.flush()
    trial.run_id = run.id
    return create_job(session, kind="train", run_id=run.id, max_attempts=max_attempts, owner=owner)


def note_pruned(session: Session, job: Job, trial: StudyTrial, epoch: int) -> None:
    """Say in a trial's job that its search ends it, and after which epoch."""
    trial.pruned_epoch = epoch
    job.payload = {**job.payload, "pruned": {"study": trial.study_id, "trial": trial.number, "epoch": epoch}}
    session.flush()


def trials_of_studies(session: Session, job_ids: Collection[int]) -> dict[int, list[StudyTrial]]:
    """The trials of each of the searches, in order."""
    found: dict[int, list[StudyTrial]] = {job_id: [] for job_id in job_ids}
    if found:
        rows = select(StudyTrial).where(StudyTrial.study_id.in_(found)).order_by(StudyTrial.study_id, StudyTrial.number)
        for trial in session.scalars(rows):
            found[trial.study_id].append(trial)
    return found
