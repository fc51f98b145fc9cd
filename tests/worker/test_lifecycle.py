import os
import signal
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.datasets import current_dataset
from store.db.jobs import claim, hand_back, request_cancel
from store.db.reading import events_after, get_job
from store.dispatch import dispatch_job
from store.queue import publish_job, queue_length
from store.settings import Settings
from store.states import State
from tests.store.rows import ERROR
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import is_gone, job_in, running, until
from worker.leftovers import remove_leftovers
from worker.lifecycle import work_folder

Sessions = sessionmaker[Session]


@pytest.fixture
def job_id(sessions: Sessions, artifacts: ArtifactStore, celery: Celery) -> int:
    """A published import job."""
    job_id, _ = queue_import(sessions, artifacts, archive())
    dispatch_job(celery, sessions, job_id)
    return job_id


def states_of(sessions: Sessions, job_id: int) -> list[str]:
    with sessions.begin() as session:
        return [event.data["state"] for event in events_after(session, job_id, 0) if event.event == "state"]


def test_a_killed_worker_takes_its_child_along_and_the_job_runs_again(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with running("worker", settings) as worker:
        child = worker.paused_child()
        worker.end(signal.SIGKILL)
        until(lambda: is_gone(child), "the end of a child whose worker was killed")
    left = work_folder(settings, job_id, 1)
    left.mkdir(parents=True)
    (left / "pictures.tar").write_bytes(b"half an archive")
    with running("worker.sweep", settings) as sweep, running("worker", settings):
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
        assert sweep.end() == 0
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert states_of(sessions, job_id) == ["queued", "running", "queued", "running", "succeeded"]
    assert "lost its worker" in sweep.said()
    assert not left.exists()


def test_only_what_no_attempt_holds_is_removed(settings: Settings, sessions: Sessions, job_id: int) -> None:
    with sessions.begin() as session:
        claim(session, job_id, worker="another host", lease_seconds=60)
    held, lost, foreign = (settings.cache / "work" / name for name in (f"job-{job_id}-1", f"job-{job_id}-0", "notes"))
    for folder in (held, lost, foreign):
        folder.mkdir(parents=True)
    remove_leftovers(settings.cache / "work", sessions)
    assert (held.exists(), lost.exists(), foreign.exists()) == (True, False, True)


def test_a_killed_child_is_run_again(settings: Settings, sessions: Sessions, job_id: int) -> None:
    with running("worker", settings) as worker:
        os.kill(worker.paused_child(), signal.SIGKILL)
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    with sessions.begin() as session:
        assert current_dataset(session, "pets") is not None


def test_a_child_killed_on_its_last_attempt_fails_the_job(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    job_id, _ = queue_import(sessions, artifacts, archive(), max_attempts=1)
    dispatch_job(celery, sessions, job_id)
    with running("worker", settings) as worker:
        os.kill(worker.paused_child(), signal.SIGKILL)
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert job.error is not None
    assert job.error["code"] == "job_crashed"
    assert "SIGKILL" in job.error["detail"]


def test_a_message_delivered_twice_runs_once(
    settings: Settings, sessions: Sessions, job_id: int, celery: Celery
) -> None:
    publish_job(celery, job_id)
    with running("worker", settings) as worker:
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
        until(lambda: "nothing to do" in worker.said(), "the second message")
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)
    assert states_of(sessions, job_id) == ["queued", "running", "succeeded"]


def test_a_queued_job_is_cancelled_at_once_and_never_runs(
    settings: Settings, sessions: Sessions, job_id: int, celery: Celery
) -> None:
    with sessions.begin() as session:
        request_cancel(session, job_id)
    with running("worker", settings) as worker:
        until(lambda: "nothing to do" in worker.said(), "the message of a cancelled job")
        assert queue_length(celery) == 0
    assert states_of(sessions, job_id) == ["queued", "cancelled"]


def test_a_running_job_is_cancelled_when_its_process_has_ended(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with running("worker", settings) as worker:
        child = worker.paused_child()
        with sessions.begin() as session:
            assert request_cancel(session, job_id).state == State.CANCELLING
        os.kill(child, signal.SIGCONT)
        job_in(sessions, job_id, State.CANCELLED)
        assert is_gone(child)
    assert states_of(sessions, job_id) == ["queued", "running", "cancelling", "cancelled"]
    with sessions.begin() as session:
        assert current_dataset(session, "pets") is None


def test_a_worker_that_ends_puts_its_job_back_without_using_up_an_attempt(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with running("worker", settings) as worker:
        child = worker.paused_child()
        worker.popen.send_signal(signal.SIGTERM)
        until(lambda: "told to put its work down" in worker.said(), "the child being told")
        os.kill(child, signal.SIGCONT)
        assert worker.popen.wait(60) == 0
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.attempt, job.max_attempts) == (State.QUEUED, 1, 4)
    with running("worker", settings):
        assert job_in(sessions, job_id, State.SUCCEEDED, State.FAILED).attempt == 2


def test_a_worker_that_lost_its_job_ends_the_child(settings: Settings, sessions: Sessions, job_id: int) -> None:
    with running("worker", settings) as worker:
        child = worker.paused_child()
        with sessions.begin() as session:
            assert hand_back(session, job_id, 1, error=ERROR) is not None
            assert claim(session, job_id, worker="another", lease_seconds=60) is not None
        until(lambda: is_gone(child), "the end of a child whose job is another's")
        until(lambda: "lost its lease" in worker.said(), "a word about it")
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.worker, job.attempt) == (State.RUNNING, "another", 2)


def test_the_worker_itself_imports_no_torch(settings: Settings) -> None:
    with running("worker", settings) as worker:
        until(lambda: " ready." in worker.said(), "a worker that is ready")
        assert "torch" not in Path(f"/proc/{worker.popen.pid}/maps").read_text()
