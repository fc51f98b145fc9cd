"""Telling the workers of a job that is tried again, once it has rested."""

import logging
import threading
from datetime import UTC, datetime

from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from store.db.models import Job
from store.dispatch import dispatch_job
from worker.patience import OUTAGE_SECONDS, OUTAGES, patiently

log = logging.getLogger(__name__)


def publish_when_rested(celery: Celery, sessions: sessionmaker[Session], job: Job) -> None:
    """Publish a job that was handed back, at once or when its rest is over; this process goes on meanwhile.

    Where it ends before, the sweep publishes the job.
    """
    rest = 0.0 if job.not_before is None else (job.not_before - datetime.now(UTC)).total_seconds()
    timer = threading.Timer(max(rest, 0.0), _publish, (celery, sessions, job.id))
    timer.daemon = True
    timer.start()


def _publish(celery: Celery, sessions: sessionmaker[Session], job_id: int) -> None:
    try:
        patiently(
            lambda: dispatch_job(celery, sessions, job_id), seconds=OUTAGE_SECONDS, what=f"publishing job {job_id}"
        )
    except OUTAGES as error:
        log.warning("job %d is left for the sweep to publish: %s", job_id, str(error).splitlines()[0])
