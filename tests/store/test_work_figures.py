from datetime import timedelta

from sqlalchemy import func, update
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import change_state
from store.db.lanes import WorkerDevice, keep_worker
from store.db.models import Epoch, Job
from store.db.work_figures import work_figures
from store.lanes import Lane
from store.states import State
from tests.store.rows import claimed, make_job, make_run

Sessions = sessionmaker[Session]
HOUR = timedelta(hours=1)


def _age(session: Session, job: Job, **moments: timedelta) -> None:
    ago = {name: func.now() - age for name, age in moments.items()}
    session.execute(update(Job).where(Job.id == job.id).values(ago))


def _epoch(run_id: int, number: int, speed: float, memory: int | None = None) -> Epoch:
    figures = {"train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5, "seconds": 1.0}
    return Epoch(run_id=run_id, phase=0, epoch=number, images_per_second=speed, peak_memory_bytes=memory, **figures)


def test_where_nothing_is_on_record_all_is_nought(sessions: Sessions) -> None:
    with sessions.begin() as session:
        found = work_figures(session)
    assert found.oldest_seconds == {Lane.TRAIN: 0.0, Lane.LIGHT: 0.0}
    assert found.again == {Lane.TRAIN: 0, Lane.LIGHT: 0}
    assert (found.failed, found.gpu_bytes) == ({}, {})
    assert (found.images_per_second, found.peak_memory_bytes, found.epochs) == (0.0, 0, 0)


def test_a_job_waits_from_when_it_could_have_been_taken(sessions: Sessions) -> None:
    with sessions.begin() as session:
        _age(session, make_job(session), created_at=2 * HOUR)
        _age(session, make_job(session), created_at=5 * HOUR, not_before=-HOUR)
        _age(session, make_job(session, kind="train"), created_at=9 * HOUR, not_before=3 * HOUR)
        _age(session, claimed(session, make_job(session).id), created_at=20 * HOUR)
    with sessions.begin() as session:
        waits = work_figures(session).oldest_seconds
    assert 7200 <= waits[Lane.LIGHT] < 7300
    assert 10800 <= waits[Lane.TRAIN] < 10900


def test_lost_attempts_are_told_until_the_job_ends_and_failures_by_their_code(sessions: Sessions) -> None:
    with sessions.begin() as session:
        once, again, failed = (make_job(session) for _ in range(3))
        claimed(session, once.id)
        claimed(session, again.id)
        session.execute(update(Job).where(Job.id == again.id).values(attempt=2))
        attempt = claimed(session, failed.id).attempt
        error = {"code": "disk_full", "detail": "full", "hint": None}
        change_state(session, failed.id, State.FAILED, attempt=attempt, error=error)
        session.execute(update(Job).where(Job.id == failed.id).values(attempt=3))
    with sessions.begin() as session:
        found = work_figures(session)
    assert found.again == {Lane.TRAIN: 0, Lane.LIGHT: 1}
    assert found.failed == {"disk_full": 1}


def test_the_newest_epoch_of_each_running_training_counts(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for speeds, runs in (((10.0, 30.0), True), ((50.0,), True), ((1000.0,), False)):
            run = make_run(session)
            job = make_job(session, run_id=run.id, kind="train")
            if runs:
                claimed(session, job.id)
            session.add_all(_epoch(run.id, number, speed, 2**33) for number, speed in enumerate(speeds))
    with sessions.begin() as session:
        found = work_figures(session)
    assert (found.images_per_second, found.peak_memory_bytes, found.epochs) == (80.0, 2**33, 4)


def test_the_gpus_of_living_workers_are_told(sessions: Sessions) -> None:
    with sessions.begin() as session:
        keep_worker(session, "a", {Lane.TRAIN}, 60, WorkerDevice("gpu", "H100", 2**36))
        keep_worker(session, "b", {Lane.TRAIN}, 60, WorkerDevice("cpu", "EPYC", 2**34))
        keep_worker(session, "c", {Lane.TRAIN}, -1, WorkerDevice("gpu", "H100", 2**36))
    with sessions.begin() as session:
        assert work_figures(session).gpu_bytes == {"a": 2**36}
