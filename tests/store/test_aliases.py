import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.aliases import (
    Canary,
    before,
    canary_of,
    cancel_canary,
    drop_alias,
    get_alias,
    list_moves,
    promote_canary,
    roll_back,
    set_alias,
    way_back,
)
from store.db.registry import register
from store.errors import NotFound, NothingBefore, StateConflict
from tests.patience import PATIENCE_SECONDS
from tests.store.test_registry import succeeded_run

Sessions = sessionmaker[Session]


@pytest.fixture
def versions(sessions: Sessions) -> list[int]:
    with sessions.begin() as session:
        return [register(session, succeeded_run(session).id).version.id for _ in range(4)]


def back(session: Session, alias: str = "production") -> int:
    return roll_back(session, alias, way_back(session, alias)).version


def moves(session: Session, alias: str = "production") -> list[tuple[str, int | None]]:
    return [(move.how, move.version) for move in reversed(list_moves(session, alias).items)]


def test_rolling_back_goes_one_further_each_time_and_never_forward(sessions: Sessions, versions: list[int]) -> None:
    with sessions.begin() as session:
        for version in versions[:3]:
            set_alias(session, "production", version)
        assert [back(session), back(session)] == [2, 1]
        with pytest.raises(NothingBefore, match="version 1"):
            back(session)
        assert before(session, "production") is None
        # What was rolled back from is no way back any more; what is set after it is.
        set_alias(session, "production", 4)
        assert back(session) == 1
        assert moves(session) == [
            ("pointed", 1),
            ("pointed", 2),
            ("pointed", 3),
            ("rolled_back", 2),
            ("rolled_back", 1),
            ("pointed", 4),
            ("rolled_back", 1),
        ]


def test_pointing_it_where_it_points_is_no_move(sessions: Sessions, versions: list[int]) -> None:
    with sessions.begin() as session:
        for version in (1, 2, 2, 2):
            set_alias(session, "production", version)
        assert moves(session) == [("pointed", 1), ("pointed", 2)]
        set_alias(session, "production", 2, canary=Canary(3, 0.25))
        moved_at = get_alias(session, "production").updated_at
    with sessions.begin() as session:
        again = set_alias(session, "production", 2)
        assert (canary_of(again), again.updated_at) == (Canary(3, 0.25), moved_at)
        assert canary_of(set_alias(session, "production", 2, canary=Canary(4, 0.5))) == Canary(4, 0.5)
        assert back(session) == versions[0]


def test_an_alias_that_was_removed_begins_anew(sessions: Sessions, versions: list[int]) -> None:
    with sessions.begin() as session:
        set_alias(session, "production", versions[0])
        drop_alias(session, "production")
        with pytest.raises(NotFound):
            way_back(session, "production")
        set_alias(session, "production", versions[1])
        with pytest.raises(NothingBefore):
            way_back(session, "production")
        assert moves(session) == [("pointed", 1), ("removed", None), ("pointed", 2)]
        with pytest.raises(NotFound):
            list_moves(session, "never")


def test_of_two_who_roll_back_at_once_one_is_told_of_the_other(sessions: Sessions, versions: list[int]) -> None:
    with sessions.begin() as session:
        for version in versions[:3]:
            set_alias(session, "production", version)
    both = threading.Barrier(2)

    def roll() -> int | None:
        with sessions.begin() as session:
            found = way_back(session, "production")
        both.wait(PATIENCE_SECONDS)
        try:
            with sessions.begin() as session:
                return roll_back(session, "production", found).version
        except StateConflict:
            return None

    with ThreadPoolExecutor(2) as pool:
        ends = [one.result() for one in [pool.submit(roll) for _ in range(2)]]
    assert sorted(ends, key=str) == [2, None]
    with sessions.begin() as session:
        assert get_alias(session, "production").version == 2


def test_a_canary_ends_with_the_next_move_and_is_promoted_or_cancelled(sessions: Sessions, versions: list[int]) -> None:
    with sessions.begin() as session:
        one, two, three, _ = versions
        with pytest.raises(NotFound):
            set_alias(session, "production", one, canary=Canary(99, 0.5))
        assert canary_of(set_alias(session, "production", one, canary=Canary(two, 0.25))) == Canary(two, 0.25)
        assert canary_of(set_alias(session, "production", three)) is None
        with pytest.raises(StateConflict, match="no canary"):
            promote_canary(session, "production", Canary(two, 0.25))
        with pytest.raises(StateConflict, match="no canary"):
            cancel_canary(session, "production")
        set_alias(session, "production", three, canary=Canary(two, 0.25))
        assert back(session) == one
        assert canary_of(get_alias(session, "production")) is None
        set_alias(session, "production", one, canary=Canary(two, 1.0))
        for other in (None, Canary(three, 1.0)):
            with pytest.raises(StateConflict, match="moved"):
                promote_canary(session, "production", other)
        promoted = promote_canary(session, "production", Canary(two, 0.5))
        assert (promoted.version, canary_of(promoted)) == (two, None)
        assert moves(session)[-1] == ("promoted", two)
        assert back(session) == one
        set_alias(session, "production", one, canary=Canary(two, 0.0))
        cancel_canary(session, "production")
        assert canary_of(get_alias(session, "production")) is None
        with pytest.raises(NotFound):
            cancel_canary(session, "best")
