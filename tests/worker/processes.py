"""Real workers and repair processes, and what a test may do to them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session, sessionmaker

from store.db.models import Job
from store.db.reading import get_job
from store.settings import Settings
from store.states import State
from tests.conftest import REPOSITORY, environment_of
from tests.patience import PATIENCE_SECONDS
from worker.standby import NAME

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], what: str, pause: float = 0.05) -> Found:
    """Look again and again until there is something to see, and leave the processor to others in between."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause)
    message = f"never seen: {what}"
    raise AssertionError(message)


def job_in(sessions: sessionmaker[Session], job_id: int, *states: State) -> Job:
    """The job, once it is in one of the states."""

    def look() -> Job | None:
        with sessions.begin() as session:
            job = get_job(session, job_id)
            return job if job.state in states else None

    return until(look, f"job {job_id} {' or '.join(states)}")


class Process:
    """``python -m MODULE [WORDS]`` with a test's settings; its output goes to a file."""

    def __init__(self, module: str, settings: Settings, log: Path, **environment: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *module.split()],
                cwd=REPOSITORY,
                env=environment_of(settings, **environment),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def child(self) -> int:
        """The process id of the job's process, once it is there and tied to the worker."""
        return until(lambda: job_process_of(self.popen.pid), "a child", 0.01)

    def paused_child(self) -> int:
        """The same, stopped before it can do anything; send it SIGCONT to go on."""
        pid = self.child()
        os.kill(pid, signal.SIGSTOP)
        return pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.popen.send_signal(how)
        return self.popen.wait(PATIENCE_SECONDS)


@contextmanager
def running(module: str, settings: Settings, **environment: str) -> Iterator[Process]:
    """A process that is gone after the block, however the block ends."""
    name = f"{module}-{time.monotonic_ns()}.log"
    settings.cache.mkdir(parents=True, exist_ok=True)
    process = Process(module, settings, settings.cache.parent / name, **environment)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.terminate()
            try:
                process.popen.wait(30)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()


def children_of(pid: int) -> list[int]:
    """The processes that its first thread has started; none where it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def job_process_of(worker: int) -> int | None:
    """The process of the job that a worker has in hand."""
    return next(filter(_is_job, children_of(worker)), None)


def _is_job(pid: int) -> bool:
    """Whether this child of a worker is a job's process and not, say, one that waits for a job."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        has_job = Path(f"/proc/{pid}/comm").read_text().strip() == NAME
    except (FileNotFoundError, ProcessLookupError):
        return False
    return has_job or (b"worker.child" in words and b"worker.tether" not in words)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
