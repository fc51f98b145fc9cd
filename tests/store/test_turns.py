"""Whose job is next, with real rows."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, update
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import change_state, claim, mark_published
from store.db.models import Job
from store.db.owned import jobs_of_owner
from store.db.studies import KIND
from store.db.turns import next_in_turn, places_in_turn
from store.lanes import Lane
from store.states import State
from tests.store.rows import make_job, make_run

Sessions = sessionmaker[Session]


def queued(sessions: Sessions, owner: str, kind: str = "train", study: int | None = None) -> int:
    """A published job; a moment later than the one before."""
    with sessions.begin() as session:
        run_id = make_run(session, kind=kind, study_id=study).id if kind == "train" else None
        job = make_job(session, kind=kind, run_id=run_id)
        job.owner = owner
        session.flush()
        mark_published(session, job.id)
        return job.id


def claim_next(sessions: Sessions, lane: Lane = Lane.TRAIN) -> int | None:
    with sessions.begin() as session:
        found = next_in_turn(session, lane)
        if found is None:
            return None
        assert claim(session, found[0], worker="w", lease_seconds=60)
        return found[0]


def end(sessions: Sessions, job_id: int) -> None:
    with sessions.begin() as session:
        assert change_state(session, job_id, State.SUCCEEDED)


def places(sessions: Sessions, jobs: list[int]) -> list[int]:
    with sessions.begin() as session:
        found = places_in_turn(session, Lane.TRAIN, jobs)
    return sorted(found, key=lambda job: found[job])


def test_somebodys_many_do_not_come_before_anothers_first(sessions: Sessions) -> None:
    with sessions.begin() as session:
        row = {"kind": "forecast", "payload": {}, "owner": "alice", "published_at": datetime.now(UTC)}
        many = list(session.scalars(insert(Job).returning(Job.id, sort_by_parameter_order=True), [row] * 300))
    assert claim_next(sessions) == many[0]
    first, second = queued(sessions, "bob"), queued(sessions, "bob")
    end(sessions, many[0])
    assert places(sessions, [*many, first, second])[:4] == [first, many[1], second, many[2]]
    for job in (first, many[1], second, many[2], many[3]):
        assert claim_next(sessions) == job
        end(sessions, job)


def test_who_has_fewest_in_hand_is_next_and_an_owner_keeps_the_order_of_publication(sessions: Sessions) -> None:
    alices = [queued(sessions, "alice") for _ in range(3)]
    bobs = [queued(sessions, "bob") for _ in range(2)]
    taken = [claim_next(sessions) for _ in range(4)]
    assert taken == [alices[0], bobs[0], alices[1], bobs[1]]
    carols = [queued(sessions, "carol") for _ in range(3)]
    expected = [carols[0], carols[1], alices[2], carols[2]]
    assert places(sessions, [alices[2], *carols]) == expected
    assert [claim_next(sessions) for _ in range(4)] == expected, "the places that were told hold"
    assert claim_next(sessions) is None


def test_lanes_have_turns_of_their_own(sessions: Sessions) -> None:
    training, bringing = queued(sessions, "alice"), queued(sessions, "alice", "import")
    assert claim_next(sessions) == training
    others = queued(sessions, "bob", "import")
    assert claim_next(sessions, Lane.LIGHT) == bringing, "neither was served in this lane before: by the name"
    assert claim_next(sessions, Lane.LIGHT) == others


def test_what_rests_is_passed_over_and_searches_are_taken_by_nobody(sessions: Sessions) -> None:
    resting, next_one = queued(sessions, "alice"), queued(sessions, "alice")
    queued(sessions, "alice", KIND)
    with sessions.begin() as session:
        rest = {"not_before": func.now() + func.make_interval(0, 0, 0, 0, 1), "published_at": None}
        session.execute(update(Job).where(Job.id == resting).values(rest))
    assert claim_next(sessions) == next_one
    assert claim_next(sessions) is None


@pytest.mark.parametrize(("state", "counted"), [(State.RUNNING, (1, 1)), (State.FAILED, (1, 0))])
def test_trials_count_as_their_search(sessions: Sessions, state: State, counted: tuple[int, int]) -> None:
    search = queued(sessions, "alice", KIND)
    for _ in range(3):
        queued(sessions, "alice", study=search)
    queued(sessions, "bob")
    job = queued(sessions, "alice")
    with sessions.begin() as session:
        assert claim(session, job, worker="w", lease_seconds=60)
        if state is State.FAILED:
            change_state(session, job, state)
        found = jobs_of_owner(session, "alice")
    assert (found.queued, found.running) == counted
