"""The thread of the repair process that moves searches over settings on.

It looks each second, and waits for nothing else that the process does: a round of that may take minutes.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from ml.late import Late
from store.db.studies import live_studies
from store.dispatch import dispatch_job
from store.settings import Settings
from worker.patience import OUTAGES

log = logging.getLogger(__name__)

MOST_SECONDS = 1.0
"""Between two looks."""

# optuna and what a config is are brought in by the first search: most services have none going on.
_ADVANCE: Late[Callable[..., list[int]]] = Late("worker.studies", "advance")
_FAIL: Late[Callable[[Session, int, str], None]] = Late("worker.studies", "fail")


@dataclass(frozen=True)
class Studying:
    """What the thread works with."""

    settings: Settings
    sessions: sessionmaker[Session]
    celery: Celery

    def start(self, stop: threading.Event) -> threading.Thread:
        """Look again and again until told to stop."""
        thread = threading.Thread(target=self._run, args=(stop,), name="studying", daemon=True)
        thread.start()
        return thread

    def round(self) -> None:
        """Move each search on once."""
        with self.sessions.begin() as session:
            jobs = live_studies(session)
        for job_id in jobs:
            self._advance(job_id)

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.round()
            except OUTAGES as error:
                log.warning("the database is out of reach: %s", str(error).splitlines()[0])
            except Exception:  # the last resort: the other searches go on
                log.exception("moving searches on: unexpected")
            stop.wait(min(MOST_SECONDS, self.settings.repair_seconds))

    def _advance(self, job_id: int) -> None:
        try:
            with self.sessions.begin() as session:
                to_publish = _ADVANCE.get()(session, job_id, max_attempts=self.settings.max_attempts)
        except OUTAGES:
            raise
        except Exception as error:  # the last resort: a job never ends without a code
            log.exception("job %d: unexpected", job_id)
            said = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            with self.sessions.begin() as session:
                _FAIL.get()(session, job_id, said)
            return
        for job in to_publish:
            dispatch_job(self.celery, self.sessions, job)
