"""``python -m worker.repair``: repairs what was lost — leases that ran out, messages that were never sent.

What nothing in the artifact store needs any more is deleted, and so is what deleted runs left there. A thread of it
moves searches over settings on (``worker.studying``), another sends webhooks (``worker.webhooks``). Any number of these
may run; a row that one has in hand is passed over by the others.
"""

import logging
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from sqlalchemy.orm import Session, sessionmaker

from migrations.schema import SchemaUnfit, check_at_start
from store.artifacts import ArtifactStore
from store.collector import read_headers
from store.db.lanes import forget_lost_workers
from store.db.repair import hand_back_expired, jobs_without_message, unpublished_jobs
from store.db.session import make_engine, make_sessions
from store.deleted_files import delete_remaining_files
from store.dispatch import dispatch_job
from store.errors import ServiceUnavailable, SettingsInvalid
from store.lanes import Lane
from store.logs import log_to_stderr
from store.queue import make_celery, queue_length
from store.settings import Settings, load_settings
from store.tracing import stop_tracing
from worker.forgetting import (
    forget_changes,
    forget_counts,
    forget_deliveries,
    forget_old_predictions,
    forget_photos,
)
from worker.patience import OUTAGES
from worker.studying import Studying
from worker.traces import trace
from worker.unneeded import delete_unneeded, forget_old_events
from worker.webhooks import Webhooks

log = logging.getLogger(__name__)

CLEAN_EVERY_SECONDS = 3600.0
STOP_SECONDS = 5.0
"""For what is being sent to be put down."""


@dataclass
class Repair:
    """What the process works with, and what it has to remember between rounds."""

    settings: Settings
    sessions: sessionmaker[Session]
    celery: Celery
    artifacts: ArtifactStore
    leases_from: float = 0.0
    """No lease is judged before this (monotonic seconds)."""
    clean_from: float = 0.0

    def round(self) -> None:
        """Repair everything once; a part of the service that is away costs only the rest of the round."""
        try:
            self.repair_leases()
            self.publish_waiting()
            delete_remaining_files(self.artifacts, self.sessions)
            if time.monotonic() >= self.clean_from:
                self.clean_from = time.monotonic() + CLEAN_EVERY_SECONDS
                self.clean()
        except OUTAGES as error:
            # While the database was away no worker could renew its lease: give each the time to.
            self.leases_from = time.monotonic() + self.settings.lease_seconds
            log.warning("the database is out of reach: %s", str(error).splitlines()[0])
        except (KombuError, RedisError, ServiceUnavailable, OSError) as error:
            log.warning("a part of the service is out of reach: %s", error)

    def clean(self) -> None:
        """Delete what nothing needs any more, and what is too old."""
        # First what needs the database alone: a store that is away must not keep it from being done.
        is_more = forget_old_events(self.sessions, older_than=timedelta(days=self.settings.event_days))
        is_more |= forget_deliveries(self.sessions, older_than=timedelta(days=self.settings.event_days))
        is_more |= forget_changes(self.sessions, older_than=timedelta(days=self.settings.audit_days))
        forget_counts(self.sessions)
        if forget_old_predictions(self.sessions, self.settings) or is_more:
            self.clean_from = time.monotonic()  # the next round goes on; leases and messages are looked at in between
            return
        forget_photos(self.sessions, self.artifacts, self.settings)
        life = timedelta(days=self.settings.checkpoint_days)
        uploads = timedelta(days=self.settings.upload_days)
        delete_unneeded(self.artifacts, self.sessions, checkpoint_life=life, upload_life=uploads)

    def repair_leases(self) -> None:
        """Give every job whose worker was lost its next state, and forget that worker."""
        if time.monotonic() < self.leases_from:
            return
        with self.sessions.begin() as session:
            jobs = hand_back_expired(session)
            forget_lost_workers(session)
        for job in jobs:
            log.warning("job %d: attempt %d lost its worker; now %s", job.id, job.attempt, job.state)

    def publish_waiting(self) -> None:
        """Publish queued jobs that no message may stand for; one too many is harmless, as a job is claimed once.

        Those were never published; or the lane has fewer messages than jobs that were published a while ago.
        """
        for lane in Lane:
            for job_id in self._waiting(lane):
                self._publish(job_id)

    def _waiting(self, lane: Lane) -> list[int]:
        seconds = self.settings.repair_seconds
        messages = queue_length(self.celery, lane)
        with self.sessions.begin() as session:
            unpublished = unpublished_jobs(session, lane, older_than_seconds=seconds)
            lost = jobs_without_message(session, lane, messages, older_than_seconds=seconds)
            return [*unpublished, *lost]

    def _publish(self, job_id: int) -> None:
        dispatch_job(self.celery, self.sessions, job_id)


def main() -> int:
    """Repair until SIGTERM or Ctrl-C."""
    log_to_stderr()
    try:
        settings = load_settings()
        read_headers(settings.otlp_headers)
        artifacts = ArtifactStore(settings.artifacts_url)
        check_at_start(settings.database_url)
    except (SettingsInvalid, SchemaUnfit) as error:
        sys.stderr.write(f"{error.detail}. {error.hint}\n")
        return 1
    trace(settings, "pedigree-repair")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    repair = Repair(settings, make_sessions(make_engine(settings)), make_celery(settings), artifacts)
    Studying(settings, repair.sessions, repair.celery).start(stop)
    webhooks = Webhooks(settings, repair.sessions).start(stop)
    while not stop.is_set():
        repair.round()
        stop.wait(settings.repair_seconds)
    webhooks.join(STOP_SECONDS)
    stop_tracing()
    if webhooks.is_alive():
        # A name server that hangs keeps a thread that nothing can end; the next process asks once more.
        logging.shutdown()
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
