"""Telling the workers of a queued job, after the commit that queued it."""

import logging

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import mark_published
from store.db.models import Job
from store.lanes import UNQUEUED_KINDS, lane_of
from store.queue import publish_job
from store.request_ids import following

logger = logging.getLogger(__name__)


def dispatch_job(app: Celery, sessions: sessionmaker[Session], job_id: int) -> bool:
    """Publish a job in the lane of its kind and note it in the row.

    False when the broker is out of reach: the row is there, and the repair process publishes it later. It moves on by
    itself what no worker takes: nobody is told of that, and it is False too.
    """
    with sessions.begin() as session:
        job = session.get_one(Job, job_id)
    if job.kind in UNQUEUED_KINDS:
        return False
    with following(job.request_id):
        try:
            publish_job(app, job_id, lane_of(job.kind), job.request_id)
        except OperationalError as error:
            logger.warning("job %d stays unpublished for now: %s", job_id, error)
            return False
        logger.info("job %d: published", job_id)
    with sessions.begin() as session:
        mark_published(session, job_id)
    return True
