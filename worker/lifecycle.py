"""The life of a claimed job: claim, child process, lease, cancel, verdict.

This process imports neither torch nor ``ml``: a job's memory, its GPU's above all, is free when its child exits.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import claim, hand_back, mark_published, renew_lease
from store.queue import publish_job
from store.settings import Settings
from store.states import State

log = logging.getLogger(__name__)

EXIT_PUT_DOWN = 75
"""The child's exit status after a wish to stop: its checkpoint is kept. EX_TEMPFAIL of sysexits."""

CANCEL_GRACE_SECONDS = 20.0
"""A child looks for a wish to stop between steps; one that has not ended by then is killed."""

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Host:
    """What a worker process has. ``stopping`` is set when the worker itself was told to end."""

    settings: Settings
    sessions: sessionmaker[Session]
    celery: Celery
    stopping: threading.Event

    @property
    def name(self) -> str:
        """Who holds the lease."""
        return f"{socket.gethostname()}:{os.getpid()}"


def run_job(host: Host, job_id: int) -> None:
    """Run a queued job to its verdict; a job that is not queued any more is left alone."""
    with host.sessions.begin() as session:
        job = claim(session, job_id, worker=host.name, lease_seconds=host.settings.lease_seconds)
        attempt = job.attempt if job is not None else None
    if attempt is None:
        log.info("job %d is not queued any more; nothing to do", job_id)
        return
    log.info("job %d: attempt %d starts", job_id, attempt)
    child = subprocess.Popen(  # noqa: S603 - our own module, two integers
        [sys.executable, "-m", "worker.child", str(job_id), str(attempt)], start_new_session=True
    )
    try:
        _watch(host, child, job_id, attempt)
    finally:
        _kill(child)
    _settle(host, job_id, attempt, child.returncode)


def _watch(host: Host, child: subprocess.Popen[bytes], job_id: int, attempt: int) -> None:
    """Renew the lease until the child has ended, or must end."""
    renew_at = time.monotonic() + host.settings.lease_seconds / 3
    kill_at: float | None = None
    told = False
    while child.poll() is None:
        now = time.monotonic()
        if host.stopping.is_set() and not told:
            log.info("job %d: told to put its work down", job_id)
            child.send_signal(signal.SIGTERM)
            told, kill_at = True, now + CANCEL_GRACE_SECONDS
        if now >= renew_at:
            renew_at = now + host.settings.lease_seconds / 3
            state = _renew(host, job_id, attempt)
            if state is None:
                log.warning("job %d: attempt %d lost its lease; its child is ended", job_id, attempt)
                return
            if state is State.CANCELLING and kill_at is None:
                kill_at = now + CANCEL_GRACE_SECONDS
        if kill_at is not None and now >= kill_at:
            log.warning("job %d: did not end in %.0f s and is killed", job_id, CANCEL_GRACE_SECONDS)
            return
        time.sleep(_POLL_SECONDS)


def _renew(host: Host, job_id: int, attempt: int) -> State | None:
    try:
        with host.sessions.begin() as session:
            return renew_lease(session, job_id, attempt, host.settings.lease_seconds)
    except OperationalError:
        # an outage of the database is no reason to throw work away: should it outlast the lease, the sweep decides
        log.warning("job %d: the database is out of reach; the lease was not renewed", job_id)
        return State.RUNNING


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _settle(host: Host, job_id: int, attempt: int, status: int) -> None:
    """Give the verdict that the child could not give itself."""
    detail = f"the job's process ended without a verdict ({describe_status(status)}) in attempt {attempt}"
    hint = "Often the machine ran out of memory: halve batch_size, or choose a smaller arch; then resume the job."
    error: dict[str, Any] = {"code": "job_crashed", "detail": detail, "hint": hint}
    with host.sessions.begin() as session:
        # stopping a worker is nobody's failure, so that it uses up no attempt
        job = hand_back(session, job_id, attempt, error=error, spare=status == EXIT_PUT_DOWN)
    if job is None:
        log.info("job %d: attempt %d has its verdict", job_id, attempt)
        return
    log.warning("job %d: %s; now %s", job_id, detail, job.state)
    if job.state == State.QUEUED:
        _publish(host, job_id)


def _publish(host: Host, job_id: int) -> None:
    try:
        publish_job(host.celery, job_id)
    except (BrokerError, OSError):
        log.warning("job %d: the broker is out of reach; the sweep will publish it", job_id)
        return
    with host.sessions.begin() as session:
        mark_published(session, job_id)


def describe_status(status: int) -> str:
    """``signal SIGKILL`` or ``exit status 1``."""
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit status {status}"
