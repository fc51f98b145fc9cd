"""``python -m worker.sweep``: repairs what was lost — leases that ran out, messages that were never sent."""

import logging
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta

import redis
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import IN_HAND, hand_back, mark_published
from store.db.models import Job
from store.db.session import make_engine, make_sessions
from store.errors import ServiceUnavailable, SettingsInvalid
from store.keys import UPLOADS
from store.queue import QUEUE, make_celery, publish_job
from store.settings import Settings, load_settings
from store.states import FINAL, State

log = logging.getLogger(__name__)

_UPLOAD_DAYS = 1
_UPLOAD_ROUNDS = 720
"""Left-over uploads are looked for once in this many rounds: about hourly."""


def repair_leases(session: Session) -> list[int]:
    """Give every job whose worker was lost its next state; returns the jobs to publish."""
    lost = session.execute(
        select(Job.id, Job.attempt).where(Job.state.in_(IN_HAND), Job.lease_until < datetime.now(UTC)).order_by(Job.id)
    )
    requeued = []
    for job_id, attempt in lost.all():
        detail = f"the worker was lost in attempt {attempt}"
        error = {"code": "worker_lost", "detail": detail, "hint": "Look into the worker's log, then resume the job."}
        job = hand_back(session, job_id, attempt, error=error)
        if job is not None:
            log.warning("job %d: attempt %d lost its worker; now %s", job_id, attempt, job.state)
            requeued += [job_id] if job.state == State.QUEUED else []
    return requeued


def unpublished(session: Session, *, queue_is_empty: bool, after_seconds: float) -> list[int]:
    """Queued jobs that no message may stand for: never published, or long ago and the broker's queue is empty."""
    old = datetime.now(UTC) - timedelta(seconds=after_seconds)
    stale = Job.published_at.is_(None) & (Job.created_at < old)
    if queue_is_empty:
        stale = stale | (Job.published_at < old)
    return list(session.scalars(select(Job.id).where(Job.state == State.QUEUED, stale).order_by(Job.id)))


def sweep_once(settings: Settings, sessions: sessionmaker[Session], celery: Celery, broker: redis.Redis) -> None:
    """One round of repair."""
    with sessions.begin() as session:
        requeued = repair_leases(session)
    empty = broker.llen(QUEUE) == 0
    with sessions.begin() as session:
        waiting = unpublished(session, queue_is_empty=empty, after_seconds=settings.sweep_seconds)
    for job_id in dict.fromkeys(requeued + waiting):
        publish_job(celery, job_id)
        with sessions.begin() as session:
            mark_published(session, job_id)
        log.info("job %d: published", job_id)


def drop_left_uploads(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> None:
    """Delete uploads older than a day that no unfinished import waits for."""
    with sessions() as session:
        imports = session.scalars(select(Job).where(Job.kind == "import", Job.state.not_in(FINAL))).unique()
        wanted = {job.payload["source"].get("key") for job in imports}
    old = datetime.now(UTC) - timedelta(days=_UPLOAD_DAYS)
    for listed in artifacts.keys_below(UPLOADS):
        if listed.modified_at < old and listed.key not in wanted:
            artifacts.delete(listed.key)
            log.info("%s: a left-over upload was deleted", listed.key)


def main() -> int:
    """Sweep until SIGTERM or Ctrl-C, waiting out a database or broker that is away."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error.detail}. {error.hint}\n")
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sessions, celery = make_sessions(make_engine(settings)), make_celery(settings)
    broker, artifacts = make_broker(settings), ArtifactStore(settings.artifacts_url)
    rounds = 0
    while not stop.is_set():
        try:
            sweep_once(settings, sessions, celery, broker)
            if rounds % _UPLOAD_ROUNDS == 0:
                drop_left_uploads(sessions, artifacts)
            rounds += 1
        except (OperationalError, BrokerError, ServiceUnavailable, redis.ConnectionError, redis.TimeoutError) as error:
            log.warning("a part of the service is out of reach: %s", str(error).splitlines()[0])
        stop.wait(settings.sweep_seconds)
    return 0


def make_broker(settings: Settings) -> redis.Redis:
    """A plain connection to the broker's Redis; Celery's ``redis+socket`` is redis-py's ``unix``."""
    url = settings.redis_url.replace("redis+socket://", "unix://").replace("?virtual_host=", "?db=")
    return redis.Redis.from_url(url, socket_timeout=10)


if __name__ == "__main__":
    sys.exit(main())
