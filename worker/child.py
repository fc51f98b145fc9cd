"""``python -m worker.child JOB ATTEMPT [TRACEPARENT]``: the process in which one attempt of a job learns, and ends."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from ml.disk import says_disk_full
from ml.errors import LearningError, ProcessLost, Stopped
from ml.late import Late
from ml.versions import check_versions
from store.artifacts import ArtifactStore
from store.cache_names import work_folder
from store.db.jobs import change_state
from store.db.models import Job
from store.db.reading import get_job
from store.db.session import make_engine, make_sessions
from store.errors import AppError
from store.logs import log_to_stderr
from store.request_ids import follow_for_ever
from store.settings import Settings, load_settings
from store.states import State
from store.tracing import follow_trace_for_ever, stop_tracing
from worker.attempt import Attempt
from worker.lifecycle import EXIT_PROCESS_KILLED, EXIT_PROCESS_LOST, EXIT_PUT_DOWN, scratch_folder
from worker.patience import OUTAGE_SECONDS, OUTAGES, patiently
from worker.reporter import JobReporter
from worker.tether import LEARNING_NICENESS, give_way
from worker.traces import trace

log = logging.getLogger(__name__)

SERVICE = "pedigree-job"
"""What traces call this process."""

Work = Callable[[Attempt], None]


class UnknownKind(AppError):
    """A job of an API that is newer than this worker."""

    code = "unknown_kind"
    title = "Unknown kind of job"


_LEARNING: dict[str, Late[Work]] = {
    "train": Late("worker.training", "train_run"),
    "lr_find": Late("worker.rate_finding", "find_rate_of_run"),
    "interpret": Late("worker.interpreting", "interpret_run"),
    "forecast": Late("worker.forecasting", "measure_for_forecast"),
    "predict": Late("worker.predicting", "predict_pictures"),
}
_CHOOSE_DEVICE: Late[Callable[[str], Any]] = Late("ml.learn.precision", "choose_device")
_MEMORY = "Give the machine more memory, or stop what else runs on it; then resume the job."
_ROOM = "Free space where PEDIGREE_CACHE lies, or set it to a larger disk; then resume the job."
_IMPORTING: Late[Work] = Late("worker.importing", "import_dataset")


@dataclass
class StopRequest:
    """Whether the worker asked this process to put its work down."""

    stop: bool = False

    def __call__(self) -> bool:
        return self.stop

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Remember the wish; the loop looks between steps."""
        self.stop = True


def main() -> int:
    """Run the attempt that the command names."""
    job_id, number, *traceparent = sys.argv[1:]
    return run(int(job_id), int(number), *traceparent)


def begin_tracing() -> None:
    """Trace this process, where the settings name a collector."""
    trace(load_settings(), SERVICE)


def run(job_id: int, number: int, traceparent: str | None = None) -> int:
    """Run one attempt; the exit status is 0 where a verdict stands in the database.

    What it does is within the span that ``traceparent`` names.
    """
    stop = StopRequest()
    signal.signal(signal.SIGTERM, stop.on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    begin_tracing()
    follow_trace_for_ever(traceparent)
    try:
        return _attempt(job_id, number, stop)
    except OUTAGES:
        log.exception("job %d: the database stayed away; the job is left to be run again", job_id)
        return EXIT_PUT_DOWN
    finally:
        stop_tracing()


def _attempt(job_id: int, number: int, stop: StopRequest) -> int:
    settings = load_settings()
    sessions = make_sessions(make_engine(settings))
    job, scratch = patiently(lambda: _read(settings, sessions, job_id), seconds=OUTAGE_SECONDS, what=f"job {job_id}")
    follow_for_ever(job.request_id)
    log.info("job %d: attempt %d begins in process %d", job_id, number, os.getpid())
    if job.attempt != number:
        log.warning("job %d: attempt %d is not wanted any more", job_id, number)
        return 0
    work = work_folder(scratch, job_id, number)
    reporter = JobReporter(sessions, job_id=job_id, run_id=job.run_id, attempt=number, told=stop)
    attempt = Attempt(settings, sessions, ArtifactStore(settings.artifacts_url), job, reporter, work, number)
    try:
        return _run(attempt)
    finally:
        reporter.end_stage()
        shutil.rmtree(work, ignore_errors=True)


def _read(settings: Settings, sessions: sessionmaker[Session], job_id: int) -> tuple[Job, Path]:
    """The job, and where its database's attempts have their folders."""
    with sessions.begin() as session:
        return get_job(session, job_id), scratch_folder(settings, session)


def _run(attempt: Attempt) -> int:
    """Do the work; whatever goes wrong becomes a code and a sentence in the record."""
    try:
        attempt.work.mkdir(parents=True, exist_ok=True)
        work = work_of(attempt.job.kind)
        if attempt.job.kind in _LEARNING:
            _let_answers_come_first(attempt.settings.device)
        work(attempt)
    except Stopped:
        attempt.reporter.flush_quietly()
        return EXIT_PUT_DOWN
    except OUTAGES:
        raise
    except ProcessLost as error:
        return _left_to_be_run_again(attempt, error)
    except (LearningError, AppError) as error:
        _fail(attempt, error.code, error.detail, error.hint)
    except MemoryError:
        hint = "Halve batch_size, or choose a smaller arch or presize." if attempt.job.kind in _LEARNING else _MEMORY
        _fail(attempt, "out_of_memory", "the host's memory does not hold this job", hint)
    except Exception as error:  # the last resort: a job never ends without a code
        log.exception("job %d: unexpected", attempt.job.id)
        said = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        if says_disk_full(error):
            _fail(attempt, "disk_full", f"the worker's disk is full ({said})", _ROOM)
        else:
            _fail(attempt, "internal_error", said, "See the worker's log.")
    return 0


def _left_to_be_run_again(attempt: Attempt, error: ProcessLost) -> int:
    """Without a verdict: what ended one of its processes is as little the job's doing as what might end this one."""
    log.error("job %d: %s", attempt.job.id, error.detail)
    attempt.reporter.flush_quietly()
    try:
        attempt.reporter.on_log(error.detail)
    except Stopped:
        log.info("job %d: attempt %d is not wanted any more", attempt.job.id, attempt.number)
    return EXIT_PROCESS_KILLED if error.killed else EXIT_PROCESS_LOST


def _let_answers_come_first(device: str) -> None:
    """Where there is no GPU, what answers people takes the CPU first; nothing else slows the learning down.

    Raises:
        DeviceUnavailable: the setting asks for a device that is not there.
    """
    if _CHOOSE_DEVICE.get()(device).type == "cpu":
        give_way(LEARNING_NICENESS)


def work_of(kind: str) -> Work:
    """The work of a kind of job.

    It is imported only now: importing what learns imports torch and torchvision, which an import of pictures needs not
    wait for, and which end in a riddle where they do not fit each other, unless that is looked at first.

    Raises:
        UnknownKind: the job comes from a version that has more kinds.
        TorchMismatch: the kind learns, and torch and torchvision do not fit each other.
    """
    if kind in _LEARNING:
        check_versions()
        return _LEARNING[kind].get()
    if kind == "import":
        return _IMPORTING.get()
    raise UnknownKind(f"this worker does not know jobs of the kind {kind!r}", "Start a worker of the API's version.")


def import_learning() -> None:
    """All that any kind of job that learns imports; ``check_versions`` comes first."""
    for work in _LEARNING.values():
        work.get()


def _fail(attempt: Attempt, code: str, detail: str, hint: str | None) -> None:
    log.error("job %d failed: %s: %s", attempt.job.id, code, detail)
    error: dict[str, Any] = {"code": code, "detail": detail, "hint": hint}
    attempt.reporter.flush_quietly()

    def write(session: Session) -> None:
        change_state(session, attempt.job.id, State.FAILED, attempt=attempt.number, error=error)

    attempt.write(write)


if __name__ == "__main__":
    sys.exit(main())
