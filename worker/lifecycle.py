"""The life of a claimed job: claim, child process, lease, cancel, verdict.

This process imports neither torch nor ``ml``: a job's memory, its GPU's above all, is free when its child exits.
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from store.cache_names import work_folder
from store.db.identity import database_id
from store.db.jobs import IN_HAND, append_event, claim, hand_back, renew_lease
from store.db.models import Job
from store.db.reading import get_job
from store.db.repair import has_verdict_of, seconds_silent
from store.db.turns import hold_turns, next_in_turn
from store.dispatch import dispatch_job
from store.lanes import Lane, lane_of
from store.request_ids import following
from store.settings import Settings
from store.states import State
from store.tracing import Span
from worker.attempt_span import attempt_span
from worker.exit_status import describe_status
from worker.leftovers import clean_cache
from worker.oom_kills import oom_kills
from worker.patience import OUTAGE_SECONDS, OUTAGES, patiently
from worker.ready_process import ReadyProcess
from worker.tether import LIGHT_NICENESS, tethered

log = logging.getLogger(__name__)

Result = TypeVar("Result")

EXIT_PUT_DOWN = 75
"""The child's exit status after a wish to stop: its checkpoint is kept. EX_TEMPFAIL of sysexits."""

EXIT_PROCESS_LOST = 71
"""After the end of one of the processes that it trained in. EX_OSERR of sysexits."""

EXIT_PROCESS_KILLED = 128 + signal.SIGKILL
"""The same where that was a SIGKILL, which may be the kernel's; what a shell says of such a process."""

CANCEL_GRACE_SECONDS = 20.0
"""A child sees by itself, between steps, that its job is being cancelled; after this it is sent SIGTERM."""

STOP_GRACE_SECONDS = 15.0
"""From SIGTERM to SIGKILL: time for a step to end and its checkpoint to be kept."""

VERDICT_GRACE_SECONDS = 10.0
"""For a child that has said its verdict to tidy up and exit."""

_POLL_SECONDS = 0.2


@dataclass
class Host:
    """What a worker process has. ``stopping`` is set when the worker itself was told to end."""

    settings: Settings
    sessions: sessionmaker[Session]
    celery: Celery
    stopping: threading.Event
    lanes: AbstractSet[Lane] = frozenset(Lane)
    ready: ReadyProcess = field(default_factory=ReadyProcess)

    @property
    def name(self) -> str:
        """Who holds the lease."""
        return f"{socket.gethostname()}:{os.getpid()}"


def run_job(host: Host, job_id: int) -> None:
    """Run the job whose turn it is in the lane of this one, to its verdict.

    Any message brings a worker to its lane's next job; the message of a job of another lane is sent on.
    """
    asked, scratch = _wait_for_database(lambda: _look(host, job_id), job_id)
    if asked is not None and asked.state == State.QUEUED and lane_of(asked.kind) not in host.lanes:
        log.info("job %d is of another lane and sent on", job_id)
        _wait_for_database(lambda: dispatch_job(host.celery, host.sessions, job_id), job_id)
        return
    # before the claim: nobody renews the lease while large folders are removed
    _wait_for_database(lambda: clean_cache(host.settings.cache, scratch, host.sessions), job_id)
    job = None if asked is None else _take_next(host, lane_of(asked.kind))
    if job is None:
        log.info("job %d is not queued any more, and no other of its lane is; nothing to do", job_id)
        return
    with following(job.request_id), attempt_span(host.sessions, job) as opened:
        _run_claimed(host, job, scratch, opened)


def _run_claimed(host: Host, job: Job, scratch: Path, opened: Span) -> None:
    """Run a job that is ours to its verdict, within the span of its attempt."""
    job_id, attempt = job.id, job.attempt
    log.info("job %d: attempt %d starts", job_id, attempt)
    killed_before = oom_kills()
    child = _child_for(host, job, [] if opened.traceparent is None else [opened.traceparent])
    watch = Watch(host, child, job_id, attempt)
    try:
        watch.until_ended()
    finally:
        # None: it still runs, and it is us who kill it, whatever the kernel does to others meanwhile
        ended = child.poll()
        kill_group(child)
        # by its own hand where it ends in order; a child that was killed leaves its work folder to us
        shutil.rmtree(work_folder(scratch, job_id, attempt), ignore_errors=True)
    opened.note({"process.exit.code": child.returncode})
    starved = was_killed(ended) and oom_kills() > killed_before
    spare = ended == EXIT_PUT_DOWN and watch.saw_outage
    _settle(host, job_id, attempt, child.returncode, starved=starved, fell_silent=watch.fell_silent, spare=spare)


def _wait_for_database(action: Callable[[], Result], job_id: int | None) -> Result:
    what = "the next job" if job_id is None else f"job {job_id}"
    return patiently(action, seconds=OUTAGE_SECONDS, what=what)


def _look(host: Host, job_id: int) -> tuple[Job | None, Path]:
    with host.sessions.begin() as session:
        return session.get(Job, job_id), scratch_folder(host.settings, session)


def _take_next(host: Host, lane: Lane) -> Job | None:
    """Claim the lane's job whose turn it is; None where none is queued."""
    while (chosen := _wait_for_database(lambda: _next(host, lane), None)) is not None:
        job_id, attempts_before = chosen
        job = _wait_for_database(partial(_claim, host, lane, job_id, attempts_before), job_id)
        if job is not None:
            return job
    return None


def _next(host: Host, lane: Lane) -> tuple[int, int] | None:
    with host.sessions.begin() as session:
        return next_in_turn(session, lane)


def _claim(host: Host, lane: Lane, job_id: int, attempts_before: int) -> Job | None:
    """Take the job, where it is its turn still.

    One that is ours already was taken by a try of ours whose answer was lost with the database.
    """
    with host.sessions.begin() as session:
        hold_turns(session, lane)
        found = session.get(Job, job_id)
        if found is not None and (found.worker, found.attempt) == (host.name, attempts_before + 1):
            return found if found.state in IN_HAND else None
        if next_in_turn(session, lane) != (job_id, attempts_before):
            return None
        return claim(session, job_id, worker=host.name, lease_seconds=host.settings.lease_seconds)


def scratch_folder(settings: Settings, session: Session) -> Path:
    """Where attempts have their folders: on the cache's disk, apart from those of other databases' jobs."""
    return settings.cache / "work" / database_id(session)


def _child_for(host: Host, job: Job, traceparent: list[str]) -> subprocess.Popen[bytes]:
    """The process that is ready, for what learns; else a new one."""
    lane = lane_of(job.kind)
    ready = host.ready.take(job.id, job.attempt, *traceparent) if lane is Lane.TRAIN else None
    return ready or start_child("worker.child", job.id, job.attempt, *traceparent, lane=lane)


def start_child(module: str, *words: int | str, lane: Lane) -> subprocess.Popen[bytes]:
    """Start ``python -m MODULE WORDS``, the leader of a group of its own.

    What is light may run beside a training: it gives way to it on the CPU, and sees no GPU.
    """
    is_light = lane is Lane.LIGHT
    environment = dict(os.environ) | ({"CUDA_VISIBLE_DEVICES": ""} if is_light else {})
    command = tethered(module, *words, niceness=LIGHT_NICENESS if is_light else 0)
    return subprocess.Popen(command, start_new_session=True, env=environment)  # noqa: S603 - our own module and words


@dataclass
class Watch:
    """Looks after a running child: renews its lease, and presses harder and harder when it has to stop."""

    host: Host
    child: subprocess.Popen[bytes]
    job_id: int
    attempt: int
    cancelling_since: float | None = None
    told_at: float | None = None
    was_silent: bool = False
    fell_silent: bool = False
    saw_outage: bool = False
    """The database was away for us as well: a child that gave up waiting for it is not to blame."""

    def until_ended(self) -> None:
        """Return when the child has ended, or must be killed."""
        renewed_at = time.monotonic()
        while not ends_within(self.child, _POLL_SECONDS):
            now = time.monotonic()
            if now - renewed_at >= self.host.settings.lease_seconds / 3:
                renewed_at = now
                if not self._renew(now):
                    log.warning(
                        "job %d: attempt %d %s; its child is ended", self.job_id, self.attempt, self._why_over()
                    )
                    return
                if self.fell_silent:
                    log.warning("job %d: attempt %d reports nothing any more and is killed", self.job_id, self.attempt)
                    return
            if self.told_at is None and self._must_stop(now):
                log.info("job %d: told to put its work down", self.job_id)
                self.told_at = now
                self.child.send_signal(signal.SIGTERM)
            if self.told_at is not None and now - self.told_at >= STOP_GRACE_SECONDS:
                log.warning("job %d: did not end in %.0f s and is killed", self.job_id, STOP_GRACE_SECONDS)
                return

    def _must_stop(self, now: float) -> bool:
        overdue = self.cancelling_since is not None and now - self.cancelling_since >= CANCEL_GRACE_SECONDS
        return overdue or self.host.stopping.is_set()

    def _renew(self, now: float) -> bool:
        """Renew the lease; False when the job is not ours any more."""
        try:
            with self.host.sessions.begin() as session:
                state = renew_lease(session, self.job_id, self.attempt, self.host.settings.lease_seconds)
                is_silent = seconds_silent(session, self.job_id) > self.host.settings.silence_seconds
        except OUTAGES:
            # an outage of the database is no reason to throw work away: if it outlasts the lease, `repair` decides
            log.warning("job %d: the database is out of reach; the lease was not renewed", self.job_id)
            self.saw_outage = True
            return True
        # Twice in a row: after a machine that slept, or an outage, the child has its time to report.
        self.was_silent, self.fell_silent = is_silent, is_silent and self.was_silent
        if state is State.CANCELLING and self.cancelling_since is None:
            self.cancelling_since = now
        # a child that has just spoken its verdict has nothing in hand any more, and a moment to tidy up
        return state is not None or ends_within(self.child, VERDICT_GRACE_SECONDS)

    def _why_over(self) -> str:
        """Why there is no lease to renew, while the child still runs."""
        try:
            with self.host.sessions.begin() as session:
                has_verdict = has_verdict_of(session, self.job_id, self.attempt)
        except OUTAGES:
            return "has no lease any more"
        late = f"has its verdict, and did not end within {VERDICT_GRACE_SECONDS:.0f} s of it"
        return late if has_verdict else "lost its lease"


def ends_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a child; whether it ended in time."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def was_killed(status: int | None) -> bool:
    """Whether a child, or one of the processes that it trained in, ended by a SIGKILL; None: it had not ended."""
    return status in {-signal.SIGKILL, EXIT_PROCESS_KILLED}


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started, and reap it; it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _settle(
    host: Host,
    job_id: int,
    attempt: int,
    status: int,
    *,
    starved: bool = False,
    fell_silent: bool = False,
    spare: bool = False,
) -> None:
    """Give the verdict that the child could not give itself.

    Args:
        host: this worker.
        job_id: the job.
        attempt: the fence.
        status: what the child ended with.
        starved: the kernel killed it for want of memory.
        fell_silent: we killed it, as it reported nothing any more.
        spare: what ended it is neither its fault nor its job's, so that the attempt does not count.
    """
    detail = f"the job's process ended without a verdict ({describe_status(status)}) in attempt {attempt}"
    if fell_silent:
        detail = f"the job's process reported nothing for {host.settings.silence_seconds:.0f} s in attempt {attempt}"

    def settle() -> Job | None:
        # stopping a worker is nobody's failure, so that it uses up no attempt
        is_spared = spare or host.stopping.is_set()
        with host.sessions.begin() as session:
            if starved:
                return _hand_back_starved(session, job_id, attempt, spare=is_spared)
            error = {"code": "job_crashed", "detail": detail, "hint": "See the worker's log, then resume the job."}
            return hand_back(session, job_id, attempt, error=error, spare=is_spared)

    job = _wait_for_database(settle, job_id)
    if job is None:
        log.info("job %d: attempt %d has its verdict", job_id, attempt)
        return
    log.warning("job %d: %s%s; now %s", job_id, detail, ", because the memory was full" if starved else "", job.state)
    # One that rests first is published by the repair process.
    if job.state == State.QUEUED and job.not_before is None:
        _wait_for_database(lambda: dispatch_job(host.celery, host.sessions, job_id), job_id)


def _hand_back_starved(session: Session, job_id: int, attempt: int, *, spare: bool) -> Job | None:
    """After a whole batch the next attempt cuts each in two halves; after halves, there is none."""
    job = get_job(session, job_id)
    said = f"the kernel killed the job's process because the memory was full in attempt {attempt}"
    if not _was_in_batches(job):
        hint = "Give the machine more memory, or stop what else runs on it; then resume the job."
        error = {"code": "job_crashed", "detail": said, "hint": hint}
        return hand_back(session, job_id, attempt, error=error, spare=spare)
    plan = (job.run.plan if job.run is not None else None) or {}
    if max(job.payload.get("accumulation", 1), plan.get("accumulation", 1)) > 1:
        detail = f"{said}, with each batch in two halves"
        error = {
            "code": "out_of_memory",
            "detail": detail,
            "hint": "Halve batch_size, or choose a smaller arch or size.",
        }
        return hand_back(session, job_id, attempt, error=error, spare=spare, final=not spare)
    error = {"code": "job_crashed", "detail": said, "hint": "Resume the job: it goes on with each batch in two halves."}
    handed = hand_back(session, job_id, attempt, error=error, spare=spare, payload={"accumulation": 2})
    if handed is not None and handed.state == State.QUEUED:
        append_event(session, job_id, "log", {"message": f"{said}: from here on each batch is cut into two halves"})
    return handed


def _was_in_batches(job: Job) -> bool:
    """Whether the attempt has said that its memory goes by the size of a batch (``ml.reporting.Progress``)."""
    return bool((job.progress or {}).get("in_batches"))
