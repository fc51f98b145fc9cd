"""Files of runs in the artifact store that nothing can come to need any more."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND
from store.db.models import Artifact, Job
from store.keys import MODEL, RunFile
from store.states import State


def unneeded_files(session: Session, files: Collection[RunFile]) -> list[str]:
    """Keys of those among a run's files in the artifact store that nothing can come to need any more.

    Those are outputs of an attempt that is over and did not get them into the record, and checkpoints of runs that
    succeeded or kept a model all the same; any other failed or cancelled run may be resumed. What no job here knows of
    is another database's.
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

    def is_over(file: RunFile) -> bool:
        if file.job_id is None:
            return file.run_id in done
        job = jobs.get(file.job_id)
        if job is None or job.run_id != file.run_id or file.attempt > job.attempt:
            return False
        return file.attempt < job.attempt or job.state not in IN_HAND

    return [file.key for file in files if file.key not in recorded and is_over(file)]
