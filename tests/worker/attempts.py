"""An attempt in the test's own process, without a worker."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.reading import get_job
from store.settings import Settings
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
        with self.sessions.begin() as session:
            job = get_job(session, job_id)
        reporter = JobReporter(self.sessions, job_id=job_id, run_id=job.run_id, attempt=number, told=lambda: False)
        return Attempt(self.settings, self.sessions, self.artifacts, job, reporter, self.work, number)
