"""Jobs as they are accepted: the one place where the API queues, so that no kind is past its owner's allowance."""

from typing import Any

from sqlalchemy.orm import Session

from store.db.audit import who_changes
from store.db.jobs import create_job, resume
from store.db.models import Job
from store.db.owned import hold_owner, jobs_of_owner
from store.db.reading import get_job
from store.errors import Hint, Request, TooBusy
from store.settings import Settings
from store.states import State

SOONEST_SECONDS, LATEST_SECONDS, UNKNOWN_SECONDS = 1, 3600, 60


class TooManyJobs(TooBusy):
    """The owner has as many jobs that have not ended as one may have."""

    code = "too_many_jobs"
    title = "Too many jobs"


def queue_job(session: Session, settings: Settings, **job: Any) -> Job:  # noqa: ANN401 - those of create_job
    """:func:`store.db.jobs.create_job`, for who makes the change and within what they may have.

    Raises:
        TooManyJobs: with it they would have more.
    """
    if job.get("state", State.QUEUED) == State.QUEUED:
        _admit(session, settings, who_changes())
    return create_job(session, max_attempts=settings.max_attempts, **job)


def queue_again(session: Session, settings: Settings, job_id: int) -> Job:
    """:func:`store.db.jobs.resume`, within what the job's owner may have; a search's trial counts as its search.

    Raises:
        NotFound, StateConflict: as there.
        TooManyJobs: with it they would have more.
    """
    job = get_job(session, job_id)
    if job.state in {State.FAILED, State.CANCELLED} and (job.run is None or job.run.study_id is None):
        _admit(session, settings, job.owner)
    return resume(session, job_id, max_attempts=settings.max_attempts)


def _admit(session: Session, settings: Settings, owner: str) -> None:
    hold_owner(session, owner)
    now = jobs_of_owner(session, owner)
    if now.queued + now.running < settings.max_key_jobs:
        return
    detail = f"{owner} has {now.queued} jobs that wait and {now.running} that run, and may have {settings.max_key_jobs}"
    hint = Hint(
        "Wait until one has ended, cancel one, or have PEDIGREE_MAX_KEY_JOBS raised.",
        Request("GET", f"/jobs?owner={owner}&state=queued"),
    )
    seconds = UNKNOWN_SECONDS if now.first_ends_seconds is None else now.first_ends_seconds
    after = max(SOONEST_SECONDS, min(LATEST_SECONDS, round(seconds)))
    raise TooManyJobs(detail, hint, {"Retry-After": str(after)})
