"""The process that waits for a job that learns: who runs it, and what is left of it."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

import worker.ready_process
from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.db.reading import get_job
from store.dispatch import dispatch_job
from store.settings import Settings
from store.states import State
from tests.patience import PATIENCE_SECONDS
from tests.store.rows import make_run
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import Process, is_gone, job_in, running, until
from worker.ready_process import ReadyProcess

Sessions = sessionmaker[Session]


@pytest.fixture
def ready() -> Iterator[ReadyProcess]:
    process = ReadyProcess()
    yield process
    process.end()


def waiting_of(process: Process) -> int:
    """The process id of the one that waits below a worker."""
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children")
    return until(lambda: next(filter(_waits, map(int, children.read_text().split())), None), "one that waits")


def _waits(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"worker.standby" in words and b"worker.tether" not in words and name != "pedigree-job"


def queue_broken_training(sessions: Sessions) -> int:
    """A training that fails once it has begun: its dataset has no files."""
    with sessions.begin() as session:
        return create_job(session, kind="train", run_id=make_run(session).id, max_attempts=3).id


def program(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let the one that waits be a small script."""
    monkeypatch.setattr(worker.ready_process, "tethered", lambda *_, **__: [sys.executable, "-c", script])


@pytest.mark.thorough
def test_what_learns_is_run_by_the_process_that_waits_and_another_waits_after_it_which_an_import_leaves(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    imported, _ = queue_import(sessions, artifacts, archive())
    job_id, at_once = queue_broken_training(sessions), queue_broken_training(sessions)
    with running("worker", settings) as host:
        first = waiting_of(host)
        dispatch_job(celery, sessions, job_id)
        dispatch_job(celery, sessions, at_once)
        assert host.child() == first
        assert job_in(sessions, job_id, State.FAILED).attempt == 1
        # The one after it is given its job while it still imports.
        assert job_in(sessions, at_once, State.FAILED).attempt == 1
        second = until(lambda: (found := waiting_of(host)) != first and found, "another")
        dispatch_job(celery, sessions, imported)
        job_in(sessions, imported, State.SUCCEEDED)
        assert waiting_of(host) == second
        os.kill(host.popen.pid, signal.SIGKILL)
        until(lambda: is_gone(second), "the end of it with its worker")


@pytest.mark.thorough
def test_a_job_is_run_where_the_one_that_waited_was_killed(
    settings: Settings, sessions: Sessions, celery: Celery
) -> None:
    job_id = queue_broken_training(sessions)
    with running("worker", settings) as host:
        until(lambda: " ready." in host.said(), "that it takes jobs")
        os.kill(waiting_of(host), signal.SIGKILL)
        dispatch_job(celery, sessions, job_id)
        job = job_in(sessions, job_id, State.FAILED)
    assert (job.attempt, job.error["code"] if job.error else None) != (1, "job_crashed")


@pytest.mark.thorough
def test_a_worker_of_light_jobs_has_none(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    job_id, _ = queue_import(sessions, artifacts, archive())
    dispatch_job(celery, sessions, job_id)
    with running("worker --lane light", settings) as host:
        job_in(sessions, job_id, State.SUCCEEDED)
        children = Path(f"/proc/{host.popen.pid}/task/{host.popen.pid}/children").read_text().split()
        assert not any(_waits(int(pid)) for pid in children)
    with sessions.begin() as session:
        assert get_job(session, job_id).attempt == 1


def test_it_hears_its_job_and_the_span_of_its_attempt(ready: ReadyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    hears = "words = input().split(); raise SystemExit(int(words[1]) if words[2:] == ['00-ab'] else 1)"
    program(monkeypatch, f"print('null', flush=True); {hears}")
    ready.start()
    assert ready.refusal() is None
    taken = ready.take(12, 3, "00-ab")
    assert taken is not None
    assert taken.wait(PATIENCE_SECONDS) == 3
    assert ready.take(12, 3) is None, "it was the only one"


def test_one_that_died_is_not_given_a_job(ready: ReadyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, "pass")
    ready.start()
    assert ready.refusal() == "the process that was to learn ended with exit status 0"
    assert ready.take(1, 1) is None
    ready.start()
    assert ready._waiting is not None


def test_it_is_started_once(ready: ReadyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, "input()")
    ready.start()
    first = ready._waiting
    ready.start()
    assert ready._waiting is first


def test_a_worker_whose_process_is_killed_at_its_start_says_so(
    ready: ReadyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    ready.start()
    assert ready.refusal() == "the process that was to learn ended with signal SIGKILL"


def test_what_it_refuses_is_told_in_its_own_words(ready: ReadyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, """print('"torch does not fit"', flush=True); input()""")
    ready.start()
    assert ready.refusal() == "torch does not fit"
