"""``python -m worker.child JOB ATTEMPT``: the process in which one attempt of a job learns, and ends."""

import ctypes
import logging
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ml.errors import LearningError, Stopped
from store.artifacts import ArtifactStore
from store.db.jobs import change_state
from store.db.reading import get_job
from store.db.session import make_engine, make_sessions
from store.errors import AppError
from store.settings import load_settings
from store.states import State
from worker.attempt import Attempt
from worker.importing import import_dataset
from worker.interpreting import interpret_run
from worker.lifecycle import EXIT_PUT_DOWN
from worker.reporter import JobReporter
from worker.training import train_run

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_WORK = {"train": train_run, "interpret": interpret_run, "import": import_dataset}


@dataclass
class Told:
    """Whether the worker asked this process to put its work down."""

    stop: bool = False

    def __call__(self) -> bool:
        """True once asked."""
        return self.stop

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Remember the wish; the loop looks between steps."""
        self.stop = True


def main() -> int:
    """Run one attempt; the exit status is 0 where a verdict stands in the database."""
    job_id, number = int(sys.argv[1]), int(sys.argv[2])
    _die_with_parent()
    told = Told()
    signal.signal(signal.SIGTERM, told.on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load_settings()
    sessions = make_sessions(make_engine(settings))
    with sessions() as session:
        job = get_job(session, job_id)
        if job.attempt != number:
            log.warning("job %d: attempt %d is not wanted any more", job_id, number)
            return 0
        session.expunge_all()
    work = settings.cache / "work" / f"job-{job_id}-{number}"
    reporter = JobReporter(sessions, job_id=job_id, run_id=job.run_id, attempt=number, told=told)
    attempt = Attempt(settings, sessions, ArtifactStore(settings.artifacts_url), job, reporter, work, number)
    try:
        work.mkdir(parents=True, exist_ok=True)
        return _run(attempt)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(attempt: Attempt) -> int:
    """Do the work; whatever goes wrong becomes a code and a sentence in the record."""
    try:
        _WORK[attempt.job.kind](attempt)
    except Stopped:
        return EXIT_PUT_DOWN
    except (LearningError, AppError) as error:
        _fail(attempt, error.code, error.detail, error.hint)
    except MemoryError:
        hint = "Halve batch_size, or choose a smaller arch or presize."
        _fail(attempt, "out_of_memory", "the host's memory does not hold this job", hint)
    except Exception as error:  # the last resort: a job never ends without a code
        log.exception("job %d: unexpected", attempt.job.id)
        _fail(attempt, "internal_error", f"{type(error).__name__}: {error}"[:500], "See the worker's log.")
    return 0


def _fail(attempt: Attempt, code: str, detail: str, hint: str | None) -> None:
    log.error("job %d failed: %s: %s", attempt.job.id, code, detail)
    error: dict[str, Any] = {"code": code, "detail": detail, "hint": hint}
    attempt.reporter.flush_quietly()
    with attempt.sessions.begin() as session:
        change_state(session, attempt.job.id, State.FAILED, attempt=attempt.number, error=error)


def _die_with_parent() -> None:
    """Let the kernel end this process with its worker, so that a lost lease never leaves a training behind."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent == 1 or os.getppid() != parent:
        sys.exit(EXIT_PUT_DOWN)


if __name__ == "__main__":
    sys.exit(main())
