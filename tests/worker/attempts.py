"""An attempt in the test's own process, without a worker."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import claim
from store.db.models import Job
from store.db.reading import get_job
from store.settings import Settings
from worker import child
from worker.attempt import Attempt
from worker.reporter import JobReporter


@dataclass
class Stack:
    """What an attempt works with."""

    settings: Settings
    sessions: sessionmaker[Session]
    artifacts: ArtifactStore
    work: Path

    def attempt(self, job_id: int, number: int = 1) -> Attempt:
        """An attempt at a job that is in hand."""
        job = self.job(job_id)
        reporter = JobReporter(self.sessions, job_id=job_id, run_id=job.run_id, attempt=number, told=lambda: False)
        return Attempt(self.settings, self.sessions, self.artifacts, job, reporter, self.work, number)

    def worked_off(self, job_id: int) -> Job:
        """A queued job after an attempt at it; all is as in a job's process but the process."""
        with self.sessions.begin() as session:
            claimed = claim(session, job_id, worker="here:1", lease_seconds=600)
            assert claimed is not None
        assert child._run(self.attempt(job_id, claimed.attempt)) == 0
        shutil.rmtree(self.work)
        return self.job(job_id)

    def job(self, job_id: int) -> Job:
        """As it is now."""
        with self.sessions.begin() as session:
            return get_job(session, job_id)
