import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest
from celery import Celery
from sqlalchemy import make_url, update
from sqlalchemy.orm import Session, sessionmaker

import worker.lifecycle
from store.artifacts import ArtifactStore
from store.cache_names import work_folder
from store.db.datasets import current_dataset
from store.db.jobs import change_state, claim, create_job, hand_back, request_cancel, resume, save_progress
from store.db.models import Job, JobEvent, Run
from store.db.reading import events_after, get_job
from store.db.repair import hand_back_expired
from store.db.session import make_engine, make_sessions
from store.db.webhooks import create_webhook
from store.dispatch import dispatch_job
from store.lanes import Lane
from store.queue import publish_job, queue_length
from store.settings import Settings
from store.states import State
from tests.patience import PATIENCE_SECONDS
from tests.store.rows import ERROR, claimed, make_job, make_run
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import is_gone, job_in, running, until
from tests.worker.receiver import receiving
from worker.leftovers import clean_cache, remove_leftovers
from worker.lifecycle import Host, Watch, _settle, kill_group, run_job, scratch_folder

Sessions = sessionmaker[Session]
LIGHT = "worker --lane light"
"""Runs imports, which are queued here, as any worker does; no process that waits with torch comes with it."""


@pytest.fixture
def job_id(sessions: Sessions, artifacts: ArtifactStore, celery: Celery) -> int:
    """A published import job."""
    job_id, _ = queue_import(sessions, artifacts, archive())
    dispatch_job(celery, sessions, job_id)
    return job_id


def states_of(sessions: Sessions, job_id: int) -> list[str]:
    with sessions.begin() as session:
        return [event.data["state"] for event in events_after(session, job_id, 0) if event.event == "state"]


def test_a_killed_worker_takes_its_child_along_and_the_job_runs_again_and_its_end_is_told(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with running(LIGHT, settings) as worker:
        child = worker.paused_child()
        worker.end(signal.SIGKILL)
        until(lambda: is_gone(child), "the end of a child whose worker was killed")
    with sessions.begin() as session:
        left = work_folder(scratch_folder(settings, session), job_id, 1)
    left.mkdir(parents=True)
    (left / "pictures.tar").write_bytes(b"half an archive")
    with receiving(200) as receiver:
        with sessions.begin() as session:
            create_webhook(session, receiver.url)
        allowed = settings.model_copy(update={"webhook_hosts": receiver.host})
        with running("worker.repair", allowed) as repair, running(LIGHT, settings):
            job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
            until(lambda: receiver.got, "the end being told")
            assert repair.end() == 0
    assert [json.loads(got.body)["data"]["job"] for got in receiver.got] == [job_id]
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert states_of(sessions, job_id) == ["queued", "running", "queued", "running", "succeeded"]
    assert "lost its worker" in repair.said()
    assert not left.exists()


def test_only_what_no_attempt_holds_is_removed(settings: Settings, sessions: Sessions, job_id: int) -> None:
    with sessions.begin() as session:
        claim(session, job_id, worker="another host", lease_seconds=60)
        scratch = scratch_folder(settings, session)
    held, lost, foreign = (scratch / name for name in (f"job-{job_id}-1", f"job-{job_id}-0", "notes"))
    for folder in (held, lost, foreign):
        folder.mkdir(parents=True)
    remove_leftovers(scratch, sessions)
    assert (held.exists(), lost.exists(), foreign.exists()) == (True, False, True)


@pytest.mark.thorough
def test_what_attempts_of_another_database_hold_in_a_shared_cache_is_left_alone(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with sessions.begin() as session:
        own = scratch_folder(settings, session)
    other = make_url(settings.database_url).set(database="postgres").render_as_string(hide_password=False)
    elsewhere = make_engine(settings.model_copy(update={"database_url": other}))
    try:
        with make_sessions(elsewhere).begin() as session:
            others = scratch_folder(settings, session)
    finally:
        elsewhere.dispose()
    theirs = work_folder(others, 1, 1)
    theirs.mkdir(parents=True)
    with running(LIGHT, settings):
        job_in(sessions, job_id, State.SUCCEEDED)
    assert (theirs.exists(), list(own.iterdir())) == (True, [])


def test_what_killed_processes_left_in_the_cache_goes_unless_somebody_works_on_it(
    settings: Settings, sessions: Sessions
) -> None:
    cache, revision = settings.cache, "ab12" * 16
    ends = ((24, ".part"), (32, ".part"), (40, ""))
    built, left, served = (cache / f"{revision}-{size}-v2{end}" for size, end in ends)
    for folder in (built, left, served):
        folder.mkdir(parents=True)
        (folder / "pixels.u8").write_bytes(b"x")
    copies, number = cache / "datasets" / revision, "0123456789abcdef" * 2
    begun = [copies / f".images.tar.{number}", cache / "models" / revision / f".model.json.{number}"]
    begun += [cache / "runs" / "7" / f".{revision}.jsonl.{number}", cache / "uploads" / "upload-a_b1c2d3"]
    begun += [cache / "downloads" / ".unpack-a_b1c2d3"]
    young = copies / f".images.tar.{number[::-1]}"
    somebodys = [cache / name for name in ("film.part", "models/mine/.git", "uploads/upload-1.pdf")]
    somebodys += [copies / "images.tar", cache / "work" / "job-1-2", cache / "downloads" / ".unpack-me"]
    for file in (*begun, young, *somebodys):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    for path in (*begun, *somebodys):
        os.utime(path, (0, 0))
    with built.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clean_cache(cache, cache / "work" / "1", sessions)
    assert [path.exists() for path in (built, left, served)] == [True, False, True]
    assert not any(path.exists() for path in begun)
    assert all(path.exists() for path in (young, *somebodys))


@pytest.mark.parametrize(("hours", "is_silent"), [(0, False), (1, True)])
def test_a_child_that_reports_nothing_any_more_is_given_up(
    settings: Settings, sessions: Sessions, celery: Celery, hours: int, is_silent: bool
) -> None:
    with sessions.begin() as session:
        job_id = claimed(session, make_job(session, max_attempts=1).id).id
    with sessions.begin() as session:
        session.execute(update(JobEvent).values(created_at=JobEvent.created_at - timedelta(hours=hours)))
    host = Host(settings.model_copy(update={"lease_seconds": 0.9}), sessions, celery, threading.Event())
    # One that does nothing until it is killed, or for two renewals of the lease.
    child = subprocess.Popen(["/bin/sleep", "600" if is_silent else "1"], start_new_session=True)
    watch = Watch(host, child, job_id, 1)
    watch.until_ended()
    kill_group(child)
    assert watch.fell_silent == is_silent
    _settle(host, job_id, 1, child.returncode, fell_silent=watch.fell_silent)
    with sessions.begin() as session:
        error = get_job(session, job_id).error
    assert error is not None
    assert error["code"] == "job_crashed"
    assert ("reported nothing for 900 s in attempt 1" in error["detail"]) == is_silent


def test_a_killed_child_is_run_again(settings: Settings, sessions: Sessions, job_id: int) -> None:
    with running("worker.repair", settings), running(LIGHT, settings) as worker:
        os.kill(worker.paused_child(), signal.SIGKILL)
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    with sessions.begin() as session:
        assert current_dataset(session, "pets") is not None


@pytest.mark.thorough
def test_a_child_killed_on_its_last_attempt_fails_the_job(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    job_id, _ = queue_import(sessions, artifacts, archive(), max_attempts=1)
    dispatch_job(celery, sessions, job_id)
    with running(LIGHT, settings) as worker:
        os.kill(worker.paused_child(), signal.SIGKILL)
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert job.error is not None
    assert job.error["code"] == "job_crashed"
    assert "SIGKILL" in job.error["detail"]


@pytest.fixture
def progress() -> dict[str, object]:
    """What each child last says it is doing; the stage is a word for people, and decides nothing."""
    return {"stage": "presize", "in_batches": True}


@pytest.fixture
def host(
    settings: Settings, sessions: Sessions, celery: Celery, monkeypatch: pytest.MonkeyPatch, progress: dict[str, object]
) -> Host:
    """A worker whose children say a stage and are killed, each of them by the kernel as its counter says."""

    def start(_: str, job_id: int, attempt: int, *, niceness: int) -> list[str]:
        assert niceness >= 0
        with sessions.begin() as session:
            save_progress(session, job_id, attempt, progress)
        return [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]

    monkeypatch.setattr(worker.lifecycle, "tethered", start)
    kills = count()
    monkeypatch.setattr(worker.lifecycle, "oom_kills", lambda: next(kills))
    return Host(settings, sessions, celery, threading.Event())


def queue_run(sessions: Sessions, kind: str = "train", max_attempts: int = 3) -> int:
    with sessions.begin() as session:
        run = make_run(session, kind=kind)
        return create_job(session, kind=kind, run_id=run.id, max_attempts=max_attempts).id


def after(host: Host, job_id: int) -> tuple[Job, list[str]]:
    """The job after one more attempt, and its log so far. Its rest after the one before is over."""
    with host.sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(not_before=None))
    run_job(host, job_id)
    with host.sessions.begin() as session:
        told = [event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log"]
        return get_job(session, job_id), told


@pytest.mark.parametrize("kind", ["train", "lr_find", "forecast"])
def test_what_the_kernel_killed_goes_on_in_halves_and_if_it_kills_that_too_there_is_no_more(
    host: Host, sessions: Sessions, kind: str
) -> None:
    job_id = queue_run(sessions, kind)
    job, told = after(host, job_id)
    assert (job.state, job.payload, job.max_attempts) == (State.QUEUED, {"accumulation": 2}, 3)
    said = "the kernel killed the job's process because the memory was full in attempt"
    assert told == [f"{said} 1: from here on each batch is cut into two halves"]
    job, _ = after(host, job_id)
    assert (job.state, job.attempt) == (State.FAILED, 2)
    assert job.error == {
        "code": "out_of_memory",
        "detail": f"{said} 2, with each batch in two halves",
        "hint": "Halve batch_size, or choose a smaller arch or size.",
    }


@pytest.mark.parametrize("kind", ["train", "lr_find", "interpret"])
def test_before_there_is_a_batch_the_memory_is_not_blamed_on_it(
    host: Host, sessions: Sessions, progress: dict[str, object], kind: str
) -> None:
    progress["stage"], progress["in_batches"] = "train", False
    job_id = queue_run(sessions, kind, max_attempts=2)
    job, told = after(host, job_id)
    assert (job.state, job.payload, told) == (State.QUEUED, {}, [])
    job, _ = after(host, job_id)
    assert job.error is not None
    assert (job.state, job.error["code"], job.payload) == (State.FAILED, "job_crashed", {})
    assert str(job.error["hint"]).startswith("Give the machine more memory")


def test_a_kill_of_somebody_else_s_changes_nothing(
    host: Host, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.lifecycle, "oom_kills", lambda: 7)
    job_id = queue_run(sessions)
    for attempt in (1, 2, 3):
        job, told = after(host, job_id)
        assert (job.attempt, job.payload, told) == (attempt, {}, [])
    assert job.error is not None
    assert (job.state, job.error["code"]) == (State.FAILED, "job_crashed")


def test_a_run_that_halved_its_batches_itself_is_not_tried_again(host: Host, sessions: Sessions) -> None:
    job_id = queue_run(sessions)
    with sessions.begin() as session:
        session.query(Run).update({"plan": {"accumulation": 2}})
    job, _ = after(host, job_id)
    assert job.error is not None
    assert (job.attempt, job.error["code"]) == (1, "out_of_memory")


def test_a_last_attempt_that_the_kernel_killed_is_resumed_in_halves(host: Host, sessions: Sessions) -> None:
    job_id = queue_run(sessions, max_attempts=1)
    job, _ = after(host, job_id)
    assert job.error is not None
    assert (job.state, job.error["code"]) == (State.FAILED, "job_crashed")
    assert job.error["hint"] == "Resume the job: it goes on with each batch in two halves."
    with sessions.begin() as session:
        assert resume(session, job_id).payload == {"accumulation": 2}


def test_an_import_has_no_batch_to_halve(host: Host, job_id: int, progress: dict[str, object]) -> None:
    progress["in_batches"] = False
    job, told = after(host, job_id)
    assert (job.state, "accumulation" in job.payload, told) == (State.QUEUED, False, [])


def test_a_message_delivered_twice_runs_once(
    settings: Settings, sessions: Sessions, job_id: int, celery: Celery
) -> None:
    publish_job(celery, job_id, Lane.LIGHT)
    with running(LIGHT, settings) as worker:
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
        until(lambda: "nothing to do" in worker.said(), "the second message")
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)
    assert states_of(sessions, job_id) == ["queued", "running", "succeeded"]


@pytest.mark.thorough
def test_a_queued_job_is_cancelled_at_once_and_never_runs(
    settings: Settings, sessions: Sessions, job_id: int, celery: Celery
) -> None:
    with sessions.begin() as session:
        request_cancel(session, job_id)
    with running(LIGHT, settings) as worker:
        until(lambda: "nothing to do" in worker.said(), "the message of a cancelled job")
        assert queue_length(celery, Lane.LIGHT) == 0
    assert states_of(sessions, job_id) == ["queued", "cancelled"]


@pytest.mark.thorough
def test_a_running_job_is_cancelled_when_its_process_has_ended(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with running(LIGHT, settings) as worker:
        child = worker.paused_child()
        with sessions.begin() as session:
            assert request_cancel(session, job_id).state == State.CANCELLING
        os.kill(child, signal.SIGCONT)
        job_in(sessions, job_id, State.CANCELLED)
        assert is_gone(child)
    assert states_of(sessions, job_id) == ["queued", "running", "cancelling", "cancelled"]
    with sessions.begin() as session:
        assert current_dataset(session, "pets") is None


@pytest.mark.thorough
def test_a_worker_that_ends_puts_its_job_back_without_using_up_an_attempt(
    settings: Settings, sessions: Sessions, job_id: int
) -> None:
    with running(LIGHT, settings) as worker:
        child = worker.paused_child()
        worker.popen.send_signal(signal.SIGTERM)
        until(lambda: "told to put its work down" in worker.said(), "the child being told")
        os.kill(child, signal.SIGCONT)
        assert worker.popen.wait(PATIENCE_SECONDS) == 0
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.attempt, job.max_attempts) == (State.QUEUED, 1, 4)
    with running(LIGHT, settings):
        assert job_in(sessions, job_id, State.SUCCEEDED, State.FAILED).attempt == 2


@pytest.mark.thorough
def test_a_worker_that_lost_its_job_ends_the_child(settings: Settings, sessions: Sessions, job_id: int) -> None:
    with running(LIGHT, settings) as worker:
        child = worker.paused_child()
        with sessions.begin() as session:
            assert hand_back(session, job_id, 1, error=ERROR) is not None
            assert claim(session, job_id, worker="another", lease_seconds=60) is not None
        until(lambda: is_gone(child), "the end of a child whose job is another's")
        until(lambda: "lost its lease" in worker.said(), "a word about it")
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.worker, job.attempt) == (State.RUNNING, "another", 2)


@pytest.mark.parametrize(
    ("end", "most", "said"),
    [
        (lambda session, job: change_state(session, job, State.SUCCEEDED, attempt=1), 3, "has its verdict, and"),
        (lambda session, job: change_state(session, job, State.FAILED, attempt=1, error=ERROR), 3, "has its verdict,"),
        (lambda session, job: hand_back(session, job, 1, error=ERROR), 3, "lost its lease;"),
        (lambda session, _: hand_back_expired(session), 1, "lost its lease;"),
    ],
    ids=["succeeded", "failed", "taken", "taken on the last attempt"],
)
def test_a_worker_says_why_a_child_that_still_runs_has_no_lease(
    host: Host,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Session, int], object],
    most: int,
    said: str,
) -> None:
    monkeypatch.setattr(worker.lifecycle, "VERDICT_GRACE_SECONDS", 0.0)
    host.settings = host.settings.model_copy(update={"lease_seconds": 0.0})
    job_id = queue_run(host.sessions, max_attempts=most)
    with host.sessions.begin() as session:
        assert claim(session, job_id, worker=host.name, lease_seconds=-1) is not None
        assert end(session, job_id)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    try:
        Watch(host, child, job_id, 1).until_ended()
    finally:
        kill_group(child)
    told = [record.message for record in caplog.records if record.name == "worker.lifecycle"]
    assert len(told) == 1
    assert said in told[0]
