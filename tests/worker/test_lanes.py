"""Workers of lanes, real ones: what waits for what, and that nothing is lost on the way between lanes."""

import os
import re
import signal
import threading
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from cli.stack import workers_of_lanes
from store.artifacts import ArtifactStore
from store.code_version import code_version
from store.db.jobs import create_job, request_cancel
from store.db.lanes import count_workers, living_workers
from store.db.reading import get_job
from store.db.waiting import Reason, waiting_of
from store.dispatch import dispatch_job
from store.lanes import Lane, lane_of
from store.queue import QUEUES, RUN_JOB, queue_length
from store.request_ids import following
from store.settings import Settings
from store.states import State
from tests.conftest import environment_of
from tests.patience import PATIENCE_SECONDS
from tests.store.rows import make_run
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import is_gone, job_in, running, until
from worker.lifecycle import Host, run_job
from worker.presence import Presence
from worker.tether import LEARNING_NICENESS, LIGHT_NICENESS

Sessions = sessionmaker[Session]
TRAINS, LIGHT = (f"worker --lane {lane}" for lane in Lane)


@pytest.fixture
def training(sessions: Sessions, celery: Celery) -> int:
    """A published training's job."""
    with sessions.begin() as session:
        job_id = create_job(session, kind="train", run_id=make_run(session).id, max_attempts=3).id
    dispatch_job(celery, sessions, job_id)
    return job_id


@pytest.fixture
def bringing(sessions: Sessions, artifacts: ArtifactStore) -> int:
    """An import job, not yet published."""
    with following("of-an-import"):
        return queue_import(sessions, artifacts, archive())[0]


def state_of(sessions: Sessions, job_id: int) -> State:
    with sessions.begin() as session:
        return State(get_job(session, job_id).state)


def test_what_up_starts_serves_every_lane_and_trains_as_often_as_asked() -> None:
    assert workers_of_lanes(1) == {"worker": "train", "worker-light": "light"}
    assert list(workers_of_lanes(3).values()) == ["train"] * 3 + ["light"]


@pytest.mark.thorough
def test_an_import_is_done_while_the_training_worker_is_busy(
    settings: Settings, sessions: Sessions, celery: Celery, training: int, bringing: int
) -> None:
    with running(TRAINS, settings) as trains, running(LIGHT, settings) as light:
        child = trains.paused_child()
        dispatch_job(celery, sessions, bringing)
        job = job_in(sessions, bringing, State.SUCCEEDED, State.FAILED)
        assert state_of(sessions, training) == State.RUNNING
        assert "torch" not in Path(f"/proc/{light.popen.pid}/maps").read_text()
        os.kill(child, signal.SIGKILL)
        trains.end(signal.SIGKILL)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)


@pytest.mark.thorough
def test_a_light_worker_takes_no_training_and_the_training_says_what_it_waits_for(
    settings: Settings, sessions: Sessions, celery: Celery, training: int, bringing: int
) -> None:
    with running(LIGHT, settings) as light:
        dispatch_job(celery, sessions, bringing)
        job_in(sessions, bringing, State.SUCCEEDED)
        until(lambda: f"job {bringing}: attempt 1 has its verdict" in light.said(), "the worker's last word")
        # One grep follows the job: what its worker says of it and what its own process says.
        said = [line for line in light.said().splitlines() if f"job {bringing}:" in line]
        assert all("[of-an-import] job" in line for line in said)
        assert [word for word in ("attempt 1 starts", "begins in process") if word not in "".join(said)] == []
        with sessions.begin() as session:
            job = get_job(session, training)
            assert (job.state, job.attempt) == (State.QUEUED, 0)
            assert waiting_of(session, [job])[training].reason is Reason.NO_WORKER
    assert queue_length(celery, Lane.TRAIN) == 1


@pytest.mark.thorough
def test_workers_are_counted_from_their_start_to_their_end(settings: Settings, sessions: Sessions) -> None:
    def counts() -> list[int]:
        with sessions.begin() as session:
            return list(count_workers(session).values())

    with running(TRAINS, settings) as trains, running(LIGHT, settings) as light, running("worker", settings) as both:
        until(lambda: counts() == [2, 2], "three workers")
        light.end()
        assert counts() == [2, 1]
        both.end(signal.SIGKILL)
        until(lambda: counts() == [1, 0], "the end of a killed worker's lease")
        with sessions.begin() as session:
            (left,) = living_workers(session)
            assert left.name.endswith(f":{trains.popen.pid}")


@pytest.mark.thorough
def test_a_worker_that_was_told_to_end_is_counted_no_more_while_its_job_is_put_down(
    settings: Settings, sessions: Sessions, celery: Celery, bringing: int
) -> None:
    dispatch_job(celery, sessions, bringing)
    with running(LIGHT, settings) as light:
        child = light.paused_child()
        light.popen.send_signal(signal.SIGTERM)
        until(lambda: not workers_left(sessions), "a worker that takes no more jobs")
        assert state_of(sessions, bringing) == State.RUNNING
        os.kill(child, signal.SIGCONT)
        assert light.popen.wait(PATIENCE_SECONDS) == 0
    assert state_of(sessions, bringing) == State.QUEUED


def workers_left(sessions: Sessions) -> bool:
    return bool(versions_at_work(sessions))


def versions_at_work(sessions: Sessions) -> list[str | None]:
    with sessions.begin() as session:
        return [worker.code_version for worker in living_workers(session)]


def test_a_worker_that_could_not_say_that_it_lives_says_so_later(
    settings: Settings, sessions: Sessions, celery: Celery, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = create_engine(f"postgresql+psycopg://postgres@/pedigree?host={tmp_path}")
    quick = settings.model_copy(update={"lease_seconds": 0.6})
    host = Host(quick, sessionmaker(nowhere), celery, threading.Event())
    presence = Presence(host)
    presence.start()
    until(lambda: "could not be said" in caplog.text, "a word about it")
    host.sessions = sessions
    until(lambda: workers_left(sessions), "a worker that lives")
    assert versions_at_work(sessions) == [code_version()]
    presence.end()
    presence.join()
    assert not workers_left(sessions)
    nowhere.dispose()


def of_old(celery: Celery, job_id: int) -> None:
    """A message as the version before lanes sent it."""
    celery.send_task(RUN_JOB, args=[job_id], queue="pedigree")


@pytest.mark.thorough
def test_a_message_of_the_version_before_finds_its_lane(
    settings: Settings, sessions: Sessions, celery: Celery, bringing: int
) -> None:
    of_old(celery, bringing)
    with running(TRAINS, settings) as trains:
        until(lambda: "is of another lane and sent on" in trains.said(), "an import that a training worker sends on")
        until(lambda: queue_length(celery, Lane.LIGHT) == 1, "its message in the other lane")
        with running(LIGHT, settings):
            job = job_in(sessions, bringing, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)
    assert queue_length(celery, Lane.TRAIN) == 0


@pytest.mark.thorough
def test_a_message_of_the_version_before_that_nobody_comes_to_is_sent_again_in_its_lane(
    settings: Settings, sessions: Sessions, celery: Celery, training: int, bringing: int
) -> None:
    with running(TRAINS, settings) as trains:
        child = trains.paused_child()
        of_old(celery, bringing)
        with sessions.begin() as session:
            get_job(session, bringing).published_at = get_job(session, bringing).created_at
        with running("worker.repair", settings), running(LIGHT, settings):
            job = job_in(sessions, bringing, State.SUCCEEDED, State.FAILED)
        assert state_of(sessions, training) == State.RUNNING
        os.kill(child, signal.SIGKILL)
        trains.end(signal.SIGKILL)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)


@pytest.mark.parametrize("lane", list(Lane))
def test_a_job_of_another_lane_is_sent_on_once_and_not_claimed(
    settings: Settings, sessions: Sessions, celery: Celery, training: int, bringing: int, lane: Lane
) -> None:
    job_id = training if lane is Lane.LIGHT else bringing
    with celery.connection_for_write() as connection:
        connection.channel().queue_purge(QUEUES[Lane.TRAIN])
    host = Host(settings, sessions, celery, threading.Event(), lanes={lane})
    run_job(host, job_id)
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.attempt) == (State.QUEUED, 0)
        assert job.published_at is not None
    assert [queue_length(celery, one) for one in Lane] == [int(lane_of(job.kind) is one) for one in Lane]
    with sessions.begin() as session:
        request_cancel(session, job_id)
    run_job(host, job_id)
    assert sum(queue_length(celery, one) for one in Lane) == 1


@pytest.mark.thorough
def test_an_emptied_broker_is_filled_again_lane_by_lane(
    settings: Settings, sessions: Sessions, celery: Celery, training: int, bringing: int
) -> None:
    dispatch_job(celery, sessions, bringing)
    with celery.connection_for_write() as connection:
        for queue in QUEUES.values():
            connection.channel().queue_purge(queue)
    with running("worker.repair", settings):
        until(lambda: all(queue_length(celery, lane) == 1 for lane in Lane), "a message in each lane")
    assert (state_of(sessions, training), state_of(sessions, bringing)) == (State.QUEUED, State.QUEUED)


@pytest.mark.thorough
def test_a_killed_light_worker_loses_nothing(
    settings: Settings, sessions: Sessions, celery: Celery, bringing: int
) -> None:
    dispatch_job(celery, sessions, bringing)
    with running(LIGHT, settings) as killed:
        child = killed.paused_child()
        killed.end(signal.SIGKILL)
        until(lambda: is_gone(child), "the end of a child whose worker was killed")
    with running("worker.repair", settings), running(TRAINS, settings), running(LIGHT, settings):
        job = job_in(sessions, bringing, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)


@pytest.mark.thorough
def test_a_light_job_gives_way_on_the_cpu_and_sees_no_gpu(
    settings: Settings, sessions: Sessions, celery: Celery, training: int, bringing: int
) -> None:
    with running(TRAINS, settings) as trains, running(LIGHT, settings) as light:
        trained = trains.paused_child()
        assert state_of(sessions, training) == State.RUNNING
        dispatch_job(celery, sessions, bringing)
        children = [trained, light.paused_child()]
        before, given = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (light.popen.pid, children[1]))
        assert given == min(before + LIGHT_NICENESS, 19), "19 is the kernel's last"
        sees = [b"CUDA_VISIBLE_DEVICES=" in variables_of(pid) for pid in children]
        assert sees == ["CUDA_VISIBLE_DEVICES" in environment_of(settings), True]
        assert session_niceness(children[1]) in {LIGHT_NICENESS, None}
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        trains.end(signal.SIGKILL)
        light.end(signal.SIGKILL)


@pytest.mark.thorough
def test_what_learns_on_a_cpu_gives_way_to_what_answers(settings: Settings, training: int) -> None:
    with running(TRAINS, settings) as trains:
        child = trains.child()
        wanted = min(os.getpriority(os.PRIO_PROCESS, trains.popen.pid) + LEARNING_NICENESS, 19)
        until(lambda: os.getpriority(os.PRIO_PROCESS, child) == wanted, f"niceness of job {training}")
        until(lambda: session_niceness(child) in {LEARNING_NICENESS, None}, "its session's niceness")
        trains.end(signal.SIGKILL)


def session_niceness(pid: int) -> int | None:
    """Of its session as a whole, where Linux weighs those."""
    try:
        told = Path(f"/proc/{pid}/autogroup").read_text()
    except FileNotFoundError:
        return None
    found = re.findall(r"nice (-?\d+)", told)
    return int(found[0]) if found else None


def variables_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_a_lane_that_does_not_exist_is_refused_with_those_that_do(settings: Settings) -> None:
    with running("worker --lane heavy", settings) as wrong:
        assert wrong.popen.wait(PATIENCE_SECONDS) == 2
        assert re.search(r"invalid choice: '?heavy'? \(choose from '?train'?, '?light'?\)", wrong.said())
