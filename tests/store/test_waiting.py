from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event, func, update
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import claim, hand_back, mark_published, request_cancel, save_progress
from store.db.lanes import keep_worker
from store.db.models import Job
from store.db.reading import get_job, job_alone, list_jobs
from store.db.waiting import JobInHand, Reason, Waiting, waiting_of
from store.lanes import Lane
from store.states import State
from tests.store.rows import ERROR, make_job, make_run

Sessions = sessionmaker[Session]


def queued(sessions: Sessions, kind: str = "train") -> Job:
    """A published job; a moment later than the one before."""
    with sessions.begin() as session:
        run_id = None if kind == "import" else make_run(session, kind="train").id
        job = make_job(session, kind=kind, run_id=run_id)
        mark_published(session, job.id)
    return job


def at_work(sessions: Sessions, worker: str, eta: float | None = None, kind: str = "train") -> Job:
    job = queued(sessions, kind)
    with sessions.begin() as session:
        assert claim(session, job.id, worker=worker, lease_seconds=60)
        save_progress(session, job.id, 1, {"stage": "train", "eta_seconds": eta})
    return job


def worker(sessions: Sessions, name: str, *lanes: Lane, lease_seconds: float = 60) -> None:
    with sessions.begin() as session:
        keep_worker(session, name, lanes, lease_seconds)


def wait(sessions: Sessions, job: Job) -> Waiting:
    with sessions.begin() as session:
        return waiting_of(session, [get_job(session, job.id)])[job.id]


def test_without_a_living_worker_of_its_lane_a_job_waits_for_one(sessions: Sessions) -> None:
    first, second = queued(sessions), queued(sessions)
    worker(sessions, "light", Lane.LIGHT)
    worker(sessions, "lost", Lane.TRAIN, lease_seconds=-1)
    assert wait(sessions, first) == Waiting(Lane.TRAIN, Reason.NO_WORKER, 0, None)
    assert wait(sessions, second) == Waiting(Lane.TRAIN, Reason.NO_WORKER, 1, None)


def test_a_free_worker_is_about_to_take_the_next_one_alone(sessions: Sessions) -> None:
    worker(sessions, "w", Lane.TRAIN)
    first, second = queued(sessions), queued(sessions)
    assert wait(sessions, first) == Waiting(Lane.TRAIN, Reason.STARTING, 0, None)
    assert wait(sessions, second) == Waiting(Lane.TRAIN, Reason.BUSY, 1, None)
    assert wait(sessions, queued(sessions, "import")).reason is Reason.NO_WORKER


def test_a_busy_worker_is_waited_for_and_the_next_job_knows_how_long(sessions: Sessions) -> None:
    worker(sessions, "w", Lane.TRAIN)
    training = at_work(sessions, "w", 812.0)
    held = JobInHand(training.id, "train", training.run_id, State.RUNNING, 812.0)
    first, second = queued(sessions), queued(sessions)
    assert wait(sessions, first) == Waiting(Lane.TRAIN, Reason.BUSY, 0, held)
    assert wait(sessions, second) == Waiting(Lane.TRAIN, Reason.BUSY, 1, held)


def test_a_job_that_was_claimed_since_it_was_read_is_not_behind_itself(sessions: Sessions) -> None:
    worker(sessions, "w", Lane.TRAIN)
    as_it_was = queued(sessions)
    with sessions.begin() as session:
        assert claim(session, as_it_was.id, worker="w", lease_seconds=60)
    with sessions.begin() as session:
        found = waiting_of(session, [as_it_was], told=[as_it_was.id])
    assert found == {as_it_was.id: Waiting(Lane.TRAIN, Reason.STARTING, 0, None)}


def test_of_many_workers_the_one_that_is_free_first_counts(sessions: Sessions) -> None:
    for name in ("a", "b", "c"):
        worker(sessions, name, Lane.TRAIN)
    at_work(sessions, "a", 900.0)
    soon = at_work(sessions, "b", 60.0)
    unknown = at_work(sessions, "c")
    found = wait(sessions, queued(sessions))
    assert found.behind is not None
    assert (found.behind.job, found.behind.eta_seconds) == (soon.id, 60.0)
    with sessions.begin() as session:
        request_cancel(session, unknown.id)
    found = wait(sessions, get_first_queued(sessions))
    assert found.behind is not None
    assert (found.behind.job, found.behind.state) == (unknown.id, State.CANCELLING)


def get_first_queued(sessions: Sessions) -> Job:
    with sessions.begin() as session:
        return list_jobs(session, state=State.QUEUED).items[-1]


def test_lanes_do_not_wait_for_each_other_but_for_a_worker_of_both(sessions: Sessions) -> None:
    worker(sessions, "trains", Lane.TRAIN)
    at_work(sessions, "trains", 900.0)
    queued(sessions)
    worker(sessions, "light", Lane.LIGHT)
    waiting_import = queued(sessions, "import")
    assert wait(sessions, waiting_import) == Waiting(Lane.LIGHT, Reason.STARTING, 0, None)
    worker(sessions, "light", Lane.LIGHT, lease_seconds=-1)
    worker(sessions, "both", *Lane)
    other = at_work(sessions, "both", 7.0)
    found = wait(sessions, waiting_import)
    assert found.behind is not None
    assert (found.lane, found.behind.job, found.behind.kind) == (Lane.LIGHT, other.id, "train")


def test_a_job_that_a_worker_without_a_sign_of_life_holds_counts_until_its_lease_ends(sessions: Sessions) -> None:
    held, job = at_work(sessions, "a worker of the version before", 9.0), queued(sessions)
    found = wait(sessions, job)
    assert found.behind is not None
    assert (found.reason, found.behind.job) == (Reason.BUSY, held.id)
    with sessions.begin() as session:
        session.execute(update(Job).where(Job.id == held.id).values(lease_until=func.now() - timedelta(seconds=1)))
    assert wait(sessions, job).reason is Reason.NO_WORKER


def test_the_order_is_that_of_publication_and_what_is_unpublished_says_so(sessions: Sessions) -> None:
    worker(sessions, "w", Lane.TRAIN)
    at_work(sessions, "w", 5.0)
    with sessions.begin() as session:
        unpublished = make_job(session, kind="train", run_id=make_run(session).id)
    later = queued(sessions)
    assert wait(sessions, later).ahead == 0
    assert wait(sessions, unpublished) == Waiting(Lane.TRAIN, Reason.UNPUBLISHED, 1, None)
    with sessions.begin() as session:
        mark_published(session, unpublished.id)
        # the row as it was before its message went out
        told = waiting_of(session, [unpublished], told=[unpublished.id])[unpublished.id]
    assert (told.reason, told.ahead) == (Reason.BUSY, 1)


def test_a_job_that_rests_says_so_until_its_rest_is_over(sessions: Sessions) -> None:
    worker(sessions, "w", Lane.TRAIN)
    job = at_work(sessions, "w")
    with sessions.begin() as session:
        hand_back(session, job.id, 1, error=ERROR)
        session.execute(update(Job).where(Job.id == job.id).values(not_before=func.now() + timedelta(seconds=30)))
    with sessions.begin() as session:
        resting = get_job(session, job.id)
    assert wait(sessions, resting) == Waiting(Lane.TRAIN, Reason.RESTING, 0, None)
    with sessions.begin() as session:
        session.execute(update(Job).where(Job.id == job.id).values(not_before=func.now() - timedelta(seconds=1)))
    with sessions.begin() as session:
        rested = get_job(session, job.id)
    assert wait(sessions, rested).reason is Reason.UNPUBLISHED


def test_only_queued_jobs_wait(sessions: Sessions) -> None:
    running = at_work(sessions, "w")
    with sessions.begin() as session:
        assert waiting_of(session, [get_job(session, running.id)]) == {}


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_watchers_questions_leave_runs_and_datasets_unread(sessions: Sessions, engine: Engine) -> None:
    """They are asked every second by everybody who watches."""
    worker(sessions, "w", Lane.TRAIN)
    at_work(sessions, "w", 5.0)
    job = queued(sessions)
    with sessions.begin() as session, counted(engine) as said:
        waiting_of(session, [job_alone(session, job.id)])
    assert said
    assert not [statement for statement in said if " runs" in statement or " datasets" in statement]


def test_a_list_of_many_takes_no_more_queries_than_one_job(sessions: Sessions, engine: Engine) -> None:
    worker(sessions, "w", Lane.TRAIN)
    at_work(sessions, "w", 5.0)
    jobs = [queued(sessions, "train" if number % 3 else "import") for number in range(12)]
    with sessions.begin() as session:
        all_of_them = [get_job(session, job.id) for job in jobs]
        with counted(engine) as for_one:
            waiting_of(session, all_of_them[:1])
        with counted(engine) as for_all:
            found = waiting_of(session, all_of_them)
    assert len(found) == len(jobs)
    assert len(for_all) == len(for_one)
