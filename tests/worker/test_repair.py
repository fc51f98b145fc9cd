import os
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from celery import Celery
from sqlalchemy import create_engine, func, update
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import append_event, change_state, request_cancel
from store.db.models import Job, JobEvent
from store.db.reading import events_after, get_job
from store.db.repair import seconds_silent
from store.dispatch import dispatch_job
from store.keys import bundle_key, checkpoint_key, manifest_key, new_upload_key, output_key
from store.lanes import Lane
from store.queue import QUEUES, make_celery, queue_length
from store.settings import Settings
from store.states import State
from tests.store.rows import ERROR, claimed, make_dataset, make_job, make_run
from tests.worker.pictures import archive, queue_import
from worker.repair import Repair

Sessions = sessionmaker[Session]


@pytest.fixture
def repair(settings: Settings, sessions: Sessions, celery: Celery, artifacts: ArtifactStore) -> Repair:
    """Its rounds are made by hand; what is younger than a minute is left to whoever made it."""
    return Repair(settings.model_copy(update={"repair_seconds": 60.0}), sessions, celery, artifacts)


@pytest.fixture
def broken_celery(settings: Settings, tmp_path: Path) -> Celery:
    """A broker that is not there."""
    return make_celery(settings.model_copy(update={"redis_url": f"redis+socket://{tmp_path}/none.sock"}))


def age(sessions: Sessions, job_id: int) -> None:
    """Make everything about a job an hour older."""
    hour = timedelta(hours=1)
    earlier = {
        "created_at": Job.created_at - hour,
        "published_at": Job.published_at - hour,
        "lease_until": Job.lease_until - hour,
    }
    with sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(earlier))


def job_of(sessions: Sessions, job_id: int) -> Job:
    with sessions.begin() as session:
        return get_job(session, job_id)


def test_a_job_that_the_broker_did_not_take_is_published_later(
    repair: Repair, sessions: Sessions, broken_celery: Celery, celery: Celery
) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
    assert not dispatch_job(broken_celery, sessions, job_id)
    assert job_of(sessions, job_id).published_at is None
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 0, "its maker may still be about to publish it"
    age(sessions, job_id)
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 1
    assert job_of(sessions, job_id).published_at is not None
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 1


def test_a_lost_message_is_sent_again_but_a_waiting_one_is_not(
    repair: Repair, sessions: Sessions, celery: Celery
) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
    dispatch_job(celery, sessions, job_id)
    age(sessions, job_id)
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 1
    with celery.connection_for_write() as connection:
        connection.channel().queue_purge(QUEUES[Lane.LIGHT])
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 1


def test_a_lost_message_is_sent_again_although_the_queue_is_not_empty(
    repair: Repair, sessions: Sessions, celery: Celery
) -> None:
    with sessions.begin() as session:
        jobs = [make_job(session).id for _ in range(3)]
    dispatch_job(celery, sessions, jobs[0])
    with celery.connection_for_write() as connection:
        connection.channel().queue_purge(QUEUES[Lane.LIGHT])
    for job_id in jobs[1:]:
        dispatch_job(celery, sessions, job_id)
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 2, "they are young, and whoever made them may be about to"
    before = job_of(sessions, jobs[0]).published_at
    for job_id in jobs:
        age(sessions, job_id)
    for _ in range(3):
        repair.round()
    assert queue_length(celery, Lane.LIGHT) == 3, "as many messages as jobs, and no more"
    published = job_of(sessions, jobs[0]).published_at
    assert before is not None
    assert published == before - timedelta(hours=1), "it keeps its place"


def test_a_message_that_brought_a_worker_to_another_job_is_missed_by_nobody(
    repair: Repair, sessions: Sessions, celery: Celery
) -> None:
    with sessions.begin() as session:
        jobs = [make_job(session).id for _ in range(3)]
    for job_id in jobs:
        dispatch_job(celery, sessions, job_id)
        age(sessions, job_id)
    with celery.connection_for_write() as connection:
        taken = connection.channel().basic_get(QUEUES[Lane.LIGHT], no_ack=True)
    assert taken is not None
    with sessions.begin() as session:
        claimed(session, jobs[2])
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 2


def test_a_lost_worker_costs_an_attempt_and_the_last_one_the_job(repair: Repair, sessions: Sessions) -> None:
    with sessions.begin() as session:
        again, last = make_job(session).id, make_job(session, max_attempts=1).id
        cancelled, healthy = make_job(session).id, make_job(session).id
        for job_id in (again, last, cancelled, healthy):
            claimed(session, job_id, lease_seconds=60)
        request_cancel(session, cancelled)
    for job_id in (again, last, cancelled):
        age(sessions, job_id)
    repair.round()
    assert job_of(sessions, again).state == State.QUEUED
    assert job_of(sessions, again).published_at is None, "it rests first"
    with sessions.begin() as session:
        session.execute(update(Job).where(Job.id == again).values(not_before=func.now()))
    repair.round()
    assert job_of(sessions, again).published_at is not None
    failed = job_of(sessions, last)
    assert failed.state == State.FAILED
    assert failed.error is not None
    assert failed.error["code"] == "worker_lost"
    assert "w1" in failed.error["detail"]
    assert job_of(sessions, cancelled).state == State.CANCELLED
    assert job_of(sessions, healthy).state == State.RUNNING


def test_an_outage_is_waited_out_and_leases_get_their_time_afterwards(
    repair: Repair, sessions: Sessions, tmp_path: Path
) -> None:
    """While the database was away no worker could renew, so an expired lease says nothing yet."""
    with sessions.begin() as session:
        job_id = make_job(session).id
        claimed(session, job_id)
    age(sessions, job_id)
    nowhere = create_engine(f"postgresql+psycopg://postgres@/pedigree?host={tmp_path}")
    repair.sessions = sessionmaker(nowhere)
    repair.round()
    repair.sessions = sessions
    repair.round()
    assert job_of(sessions, job_id).state == State.RUNNING
    repair.leases_from = time.monotonic()
    repair.round()
    assert job_of(sessions, job_id).state == State.QUEUED
    nowhere.dispose()


def test_a_broker_that_is_away_does_not_end_the_repair(
    repair: Repair, sessions: Sessions, celery: Celery, broken_celery: Celery
) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
    age(sessions, job_id)
    repair.celery = broken_celery
    repair.round()
    repair.celery = celery
    repair.round()
    assert queue_length(celery, Lane.LIGHT) == 1


def test_an_old_upload_goes_unless_a_job_waits_for_it(
    repair: Repair, settings: Settings, sessions: Sessions, artifacts: ArtifactStore
) -> None:
    _, awaited = queue_import(sessions, artifacts, archive())
    left, fresh = new_upload_key(), new_upload_key()
    somebodys = ["uploads/contract.pdf", f"{new_upload_key()}/contract.pdf"]
    for key in (left, fresh, *somebodys):
        artifacts.put_bytes(key, b"x")
    folder = Path(urlsplit(settings.artifacts_url).path)
    two_days_ago = time.time() - 2 * 24 * 3600
    for key in (awaited, left, *somebodys):
        os.utime(folder / key, (two_days_ago, two_days_ago))
    mine, repair.settings = repair.settings, repair.settings.model_copy(update={"upload_days": 3.0})
    repair.round()
    assert artifacts.exists(left)
    repair.settings, repair.clean_from = mine, 0.0
    repair.round()
    assert [artifacts.exists(key) for key in (awaited, left, fresh)] == [True, False, True]
    assert all(map(artifacts.exists, somebodys))


def test_old_files_of_a_dataset_go_that_no_record_names(
    repair: Repair, settings: Settings, sessions: Sessions, artifacts: ArtifactStore
) -> None:
    known, gone, fresh = ("a" * 64, "b" * 64, "c" * 64)
    with sessions.begin() as session:
        make_dataset(session, revision=known)
    keys = [key(one) for one in (known, gone, fresh) for key in (manifest_key, bundle_key)]
    somebodys = "datasets/mine/images.tar"
    for key in (*keys, somebodys):
        artifacts.put_bytes(key, b"x")
    folder = Path(urlsplit(settings.artifacts_url).path)
    two_days_ago = time.time() - 2 * 24 * 3600
    for key in (*keys[:4], somebodys):
        os.utime(folder / key, (two_days_ago, two_days_ago))
    repair.round()
    assert [artifacts.exists(key) for key in (*keys, somebodys)] == [True, True, False, False, True, True, True]


def test_what_killed_processes_left_in_the_store_goes_after_a_day(
    repair: Repair, settings: Settings, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        run = make_run(session).id
        job = claimed(session, make_job(session, run_id=run, kind="train").id).id
        change_state(session, job, State.FAILED, attempt=1, error=ERROR)
    kept = checkpoint_key(run, 1, 30)
    keys = [output_key(run, job, 1, name) for name in ("old", "young")]
    keys += [kept, f"{kept}#1", f"{kept}#2"]
    folder = Path(urlsplit(settings.artifacts_url).path)
    for key in keys:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(b"x")
    two_days_ago = time.time() - 2 * 24 * 3600
    for key in (keys[0], keys[2], keys[3]):
        os.utime(folder / key, (two_days_ago, two_days_ago))
    repair.round()
    assert [(folder / key).exists() for key in keys] == [False, True, True, False, True]


def test_silence_is_counted_from_the_last_event(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
        assert 0 <= seconds_silent(session, job_id) < 60
        append_event(session, job_id, "log", {"message": "x"})
    with sessions.begin() as session:
        hour = timedelta(hours=1)
        session.execute(update(JobEvent).values(created_at=JobEvent.created_at - hour))
    with sessions.begin() as session:
        assert 3600 <= seconds_silent(session, job_id) < 3700


def test_leases_are_judged_by_the_databases_clock(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job = claimed(session, make_job(session).id, lease_seconds=30)
        now = session.scalar(func.now().select())
        assert now is not None
        assert job.lease_until == now + timedelta(seconds=30)


def test_old_events_go_a_part_a_round_so_that_leases_are_looked_at_in_between(
    repair: Repair, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("store.db.old_events.BATCH", "worker.unneeded.BATCH"):
        monkeypatch.setattr(module, 2)
    with sessions.begin() as session:
        job_id = claimed(session, make_job(session).id).id
        for _ in range(3):
            append_event(session, job_id, "log", {"message": "x"})
        change_state(session, job_id, State.FAILED, attempt=1, error=ERROR)
        session.execute(update(Job).where(Job.id == job_id).values(finished_at=Job.finished_at - timedelta(days=400)))
    left = []
    for _ in range(2):
        repair.round()
        with sessions.begin() as session:
            left.append(sum(event.event == "log" for event in events_after(session, job_id, 0)))
    assert left == [1, 0]
