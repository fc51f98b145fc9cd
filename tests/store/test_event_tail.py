"""Events of all jobs in one sequence, whatever the order in which they are committed."""

from contextlib import ExitStack

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from store.db.event_tail import SETTLED_SECONDS, events_of_all_after, newest_of_all
from store.db.jobs import append_event, create_job


def _jobs(sessions: sessionmaker[Session]) -> tuple[int, int]:
    with sessions.begin() as session:
        one, other = (create_job(session, kind="import", max_attempts=1) for _ in range(2))
        return one.id, other.id


def _after(sessions: sessionmaker[Session], event_id: int) -> list[int]:
    with sessions.begin() as session:
        return [event.id for event in events_of_all_after(session, event_id)]


def test_the_events_of_all_jobs_come_in_the_order_of_their_ids(sessions: sessionmaker[Session]) -> None:
    jobs = _jobs(sessions)
    with sessions.begin() as session:
        start = newest_of_all(session)
    ids = []
    for number in range(6):
        with sessions.begin() as session:
            ids.append(append_event(session, jobs[number % 2], "batch", {"step": number}))
    assert _after(sessions, start) == ids
    assert _after(sessions, ids[3]) == ids[4:]


def test_an_event_behind_one_that_is_not_committed_yet_waits_for_it(sessions: sessionmaker[Session]) -> None:
    one, other = _jobs(sessions)
    with sessions.begin() as session:
        start = newest_of_all(session)
    with sessions.begin() as slow:
        first = append_event(slow, one, "batch", {"step": 1})
        with sessions.begin() as quick:
            second = append_event(quick, other, "batch", {"step": 1})
        assert _after(sessions, start) == []
    assert _after(sessions, start) == [first, second]


def test_a_gap_that_nothing_will_fill_holds_back_nothing_old(sessions: sessionmaker[Session]) -> None:
    one, _ = _jobs(sessions)
    with sessions.begin() as session:
        start = newest_of_all(session)
    with sessions() as session:
        append_event(session, one, "batch", {"step": 1})  # and never commits
    with sessions.begin() as session:
        kept = append_event(session, one, "batch", {"step": 2})
        session.execute(text("UPDATE job_events SET created_at = created_at - interval '3 seconds'"))
    assert _after(sessions, start) == [kept]


def test_where_nothing_has_happened_the_newest_is_0(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        assert newest_of_all(session) == 0


def test_how_long_its_transaction_was_open_before_makes_an_event_no_older(sessions: sessionmaker[Session]) -> None:
    one, other = _jobs(sessions)
    with sessions.begin() as session:
        start = newest_of_all(session)
    with ExitStack() as long_open, sessions.begin() as slow:
        long = long_open.enter_context(sessions.begin())
        long.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": SETTLED_SECONDS + 0.2})
        first = append_event(slow, one, "batch", {"step": 1})
        second = append_event(long, other, "batch", {"step": 1})
        long_open.close()
        assert _after(sessions, start) == []
    assert _after(sessions, start) == [first, second]


def test_who_begins_now_begins_before_what_is_not_committed_yet(sessions: sessionmaker[Session]) -> None:
    one, other = _jobs(sessions)
    with sessions.begin() as session:
        before = newest_of_all(session)
    with sessions.begin() as slow:
        first = append_event(slow, one, "batch", {"step": 1})
        with sessions.begin() as quick:
            second = append_event(quick, other, "batch", {"step": 1})
        with sessions.begin() as session:
            start = newest_of_all(session)
        assert start == before
    assert _after(sessions, start) == [first, second]
