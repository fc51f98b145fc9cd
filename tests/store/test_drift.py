from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from sqlalchemy.orm import Session, sessionmaker

from store.db.drift import (
    add_counts,
    counts_since,
    forget_old_counts,
    reference_of,
    set_reference,
    today,
    versions_counted,
)

Sessions = sessionmaker[Session]
DAY = date(2026, 11, 20)


def test_counts_add_up_over_processes_and_days(sessions: Sessions) -> None:
    def add(_: int) -> None:
        with sessions.begin() as session:
            add_counts(session, 1, DAY, {"breeds": [1, 2, 3], "aspect": [0, 5]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with sessions.begin() as session:
        add_counts(session, 1, DAY + timedelta(days=1), {"breeds": [1, 0, 0, 7]})
        add_counts(session, 2, DAY, {"breeds": [9]})
        add_counts(session, 2, DAY, {})
    with sessions.begin() as session:
        assert counts_since(session, 1, DAY) == {"breeds": [41, 80, 120, 7], "aspect": [0, 200]}
        assert counts_since(session, 1, DAY + timedelta(days=1)) == {"breeds": [1, 0, 0, 7]}
        assert (versions_counted(session, DAY), versions_counted(session, DAY + timedelta(days=1))) == ([2, 1], [1])


def test_a_longer_row_adds_to_a_shorter_one(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for counts in ([1, 1], [1, 1, 1], [1]):
            add_counts(session, 1, DAY, {"breeds": counts})
        assert counts_since(session, 1, DAY) == {"breeds": [3, 2, 1]}


def test_the_first_reference_stays_and_old_days_go(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert reference_of(session, 1) is None
        set_reference(session, 1, {"breeds": [1]}, None)
        set_reference(session, 1, {"breeds": [2]}, "late")
        found = reference_of(session, 1)
        assert found is not None
        assert (found.counts, found.missing) == ({"breeds": [1]}, None)
        for days in (500, 5):
            add_counts(session, 1, today(session) - timedelta(days=days), {"breeds": [days]})
        forget_old_counts(session, older_than=timedelta(days=400))
        assert counts_since(session, 1, date(2000, 1, 1)) == {"breeds": [5]}
