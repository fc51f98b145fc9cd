"""Files of runs in the artifact store that nothing can come to need any more."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.db.deletion import are_of, deleted_runs
from store.db.jobs import IN_HAND
from store.db.models import Artifact, Job, Run
from store.keys import MODEL, RunFile, job_of_answers
from store.states import FINAL, State


def unneeded_files(session: Session, files: Collection[RunFile], *, checkpoint_life: timedelta) -> list[str]:
    """Keys of those among a run's files in the artifact store that nothing can come to need any more.

    Those are outputs of an attempt that is over and did not get them into the record; checkpoints of runs that
    succeeded or kept a model all the same, and those that the record does not name; and all of a deleted run. Any
    other failed or cancelled run may be resumed: its checkpoints go with their age, and stay in the record, so that a
    resume misses them. What no job here knows of is another database's.

    Args:
        session: the caller's transaction.
        files: what lies in the store.
        checkpoint_life: how long after a job's end its checkpoints are kept.
    """
    runs = {file.run_id for file in files}
    artifacts = session.execute(select(Artifact.run_id, Artifact.name, Artifact.key).where(Artifact.run_id.in_(runs)))
    recorded = {key: (run_id, name) for run_id, name, key in artifacts}
    own = Job.kind != "interpret"
    of_runs = select(Job).where(Job.run_id.in_(runs))
    jobs = {job.id: job for job in session.scalars(of_runs)}
    done = {job.run_id for job in session.scalars(of_runs.where(own, Job.state == State.SUCCEEDED))}
    # a run that ended for want of a rate is not resumed: its model may be others' parent by now
    done |= {run_id for run_id, name in recorded.values() if name == MODEL}
    ended = func.now() - checkpoint_life
    done |= {job.run_id for job in session.scalars(of_runs.where(own, Job.state.in_(FINAL), Job.finished_at < ended))}
    kept = _kept_checkpoints(session, runs)
    deleted = deleted_runs(session, runs)
    left = {key for gone in deleted.values() for key in are_of(gone, files)}

    def is_over(file: RunFile) -> bool:
        if file.job_id is None:
            return file.run_id in done or _is_replaced(file, kept)
        job = jobs.get(file.job_id)
        if job is None or job.run_id != file.run_id or file.attempt > job.attempt:
            return False
        return file.attempt < job.attempt or job.state not in IN_HAND

    return [file.key for file in files if file.key not in recorded and (file.key in left or is_over(file))]


def unneeded_answers(session: Session, keys: Collection[str], *, life: timedelta) -> list[str]:
    """Keys of those among predict jobs' files that nothing can come to need any more.

    Of a job that succeeded those are all but its answers. One that failed or was cancelled may be resumed: its parts
    go with their age. What no job here knows of is another database's.

    Args:
        session: the caller's transaction.
        keys: what lies in the store.
        life: how long after a job's end its parts are kept.
    """
    made = {key: job_id for key in keys if (job_id := job_of_answers(key)) is not None}
    jobs = select(Job).where(Job.id.in_(made.values()), Job.kind == "predict", Job.state.in_(FINAL))
    ended = (Job.state == State.SUCCEEDED) | (Job.finished_at < func.now() - life)
    over = {
        job.id: {one["key"] for one in job.payload.get("answers", {}).values()}
        for job in session.scalars(jobs.where(ended))
    }
    return [key for key, job_id in made.items() if job_id in over and key not in over[job_id]]


def _kept_checkpoints(session: Session, run_ids: Collection[int]) -> dict[int, set[str]]:
    """The keys that the record names, for each run that has kept any."""
    rows = session.execute(select(Run.id, Run.checkpoints).where(Run.id.in_(run_ids), Run.checkpoints.is_not(None)))
    return {run_id: {one["key"] for one in kept} for run_id, kept in rows if kept is not None}


def _is_replaced(file: RunFile, kept: Mapping[int, Collection[str]]) -> bool:
    return file.run_id in kept and file.key not in kept[file.run_id]
