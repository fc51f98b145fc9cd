from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from store.db.lanes import (
    count_jobs,
    count_workers,
    forget_lost_workers,
    forget_worker,
    is_of,
    keep_worker,
    living_workers,
)
from store.db.models import Job, Worker
from store.lanes import Lane, lane_of
from store.queue import QUEUES, queues_of
from store.states import State
from tests.store.rows import claimed, make_job

Sessions = sessionmaker[Session]
KINDS = ("train", "lr_find", "interpret", "import", "a kind to come")


def test_only_what_needs_no_device_is_light() -> None:
    assert [kind for kind in KINDS if lane_of(kind) is Lane.LIGHT] == ["import"]


def test_the_database_sorts_kinds_as_the_code_does(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for kind in KINDS:
            make_job(session, kind=kind)
        for lane in Lane:
            found = session.scalars(select(Job.kind).where(is_of(lane, Job.kind)).order_by(Job.id)).all()
            assert found == [kind for kind in KINDS if lane_of(kind) is lane]


def test_what_was_published_before_there_were_lanes_lies_where_the_training_workers_look() -> None:
    assert "pedigree" in queues_of({Lane.TRAIN}).split(",")
    assert len(set(QUEUES.values())) == len(Lane)
    assert queues_of(frozenset(Lane)).split(",") == list(QUEUES.values())


def test_a_worker_lives_until_it_says_otherwise_or_its_lease_runs_out(sessions: Sessions) -> None:
    with sessions.begin() as session:
        keep_worker(session, "trains", {Lane.TRAIN}, 60)
        keep_worker(session, "both", frozenset(Lane), 60)
        keep_worker(session, "lost", {Lane.LIGHT}, 60)
        keep_worker(session, "lost", {Lane.LIGHT}, -1)
    with sessions.begin() as session:
        assert [worker.name for worker in living_workers(session)] == ["both", "trains"]
        assert count_workers(session) == {Lane.TRAIN: 2, Lane.LIGHT: 1}
        forget_lost_workers(session)
        forget_worker(session, "both")
        assert session.scalars(select(Worker.name)).all() == ["trains"]
        assert count_workers(session) == {Lane.TRAIN: 1, Lane.LIGHT: 0}


def test_jobs_are_counted_by_lane(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for kind in ("train", "interpret", "import", "import"):
            make_job(session, kind=kind)
        claimed(session, 1)
        assert dict(count_jobs(session)) == {
            (Lane.TRAIN, "running"): 1,
            (Lane.TRAIN, "queued"): 1,
            (Lane.LIGHT, "queued"): 2,
        }
        assert count_jobs(session, State.QUEUED)[Lane.TRAIN, "running"] == 0
