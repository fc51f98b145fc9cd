from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import (
    append_event,
    change_state,
    claim,
    create_job,
    find_by_idempotency_key,
    hand_back,
    mark_published,
    renew_lease,
    request_cancel,
    resume,
    save_progress,
    state_in_hand,
)
from store.db.reading import events_after, get_job
from store.errors import IdempotencyConflict, NotFound, Request, StateConflict
from store.states import FINAL, MOVES, State
from tests.patience import PATIENCE_SECONDS
from tests.store.rows import ERROR, claimed, force_state, make_job

Sessions = sessionmaker[Session]


@pytest.mark.parametrize("source", list(State))
@pytest.mark.parametrize("target", list(State))
def test_only_the_moves_of_the_table_happen(sessions: Sessions, source: State, target: State) -> None:
    with sessions.begin() as session:
        job = make_job(session)
        force_state(session, job, source)
    with sessions.begin() as session:
        moved = change_state(session, job.id, target)
    with sessions.begin() as session:
        now = get_job(session, job.id)
        events = [event.data["state"] for event in events_after(session, job.id, 0)]
        assert (moved is not None) == (target in MOVES[source])
        assert now.state == (target if moved else source)
        assert events == (["queued", target] if moved else ["queued"])
        assert (now.finished_at is not None) == (moved is not None and target in FINAL)


def test_a_new_job_has_its_first_event(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job = create_job(session, kind="import", payload={"name": "pets"}, max_attempts=2)
    with sessions.begin() as session:
        (event,) = events_after(session, job.id, 0)
        assert (event.event, event.data) == ("state", {"state": "queued", "attempt": 0})
        assert get_job(session, job.id).payload == {"name": "pets"}


def test_of_concurrent_claims_exactly_one_wins(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
    together = Barrier(4)

    def try_claim(number: int) -> bool:
        together.wait(PATIENCE_SECONDS)
        with sessions.begin() as session:
            return claim(session, job_id, worker=f"w{number}", lease_seconds=30) is not None

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(try_claim, range(4)))
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert sum(won) == 1
        assert (job.state, job.attempt, job.worker) == (State.RUNNING, 1, f"w{won.index(True)}")
        assert job.lease_until is not None
        assert job.started_at is not None


def test_the_fence_keeps_an_earlier_attempt_out(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
        claimed(session, job_id)
        hand_back(session, job_id, 1, error=ERROR)
        assert claimed(session, job_id).attempt == 2
    with sessions.begin() as session:
        assert change_state(session, job_id, State.SUCCEEDED, attempt=1) is None
        assert renew_lease(session, job_id, 1, 30) is None
        assert state_in_hand(session, job_id, 1) is None
        assert not save_progress(session, job_id, 1, {"stage": "train"})
        assert hand_back(session, job_id, 1, error=ERROR) is None
        assert get_job(session, job_id).progress is None
        assert change_state(session, job_id, State.SUCCEEDED, attempt=2) is not None


def test_a_lease_is_renewed_while_the_job_is_in_hand(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job = claimed(session, make_job(session).id, lease_seconds=1)
        first = job.lease_until
    with sessions.begin() as session:
        assert renew_lease(session, job.id, 1, 60) == State.RUNNING
        request_cancel(session, job.id)
        assert renew_lease(session, job.id, 1, 60) == State.CANCELLING
    with sessions.begin() as session:
        later = get_job(session, job.id).lease_until
        assert first is not None
        assert later is not None
        assert (later - first).total_seconds() > 50
        change_state(session, job.id, State.CANCELLED)
        assert renew_lease(session, job.id, 1, 60) is None


def test_a_failure_is_kept_told_and_cleared_by_a_resume(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
        claimed(session, job_id)
        failed = change_state(session, job_id, State.FAILED, attempt=1, error=ERROR)
        assert failed is not None
        assert failed.error == ERROR
        assert (failed.worker, failed.lease_until) == (None, None)
        again = resume(session, job_id, max_attempts=3)
        assert (again.state, again.error, again.finished_at, again.max_attempts) == (State.QUEUED, None, None, 4)
    with sessions.begin() as session:
        told = [event.data for event in events_after(session, job_id, 0)]
        assert told[2] == {"state": "failed", "attempt": 1, "error": ERROR}
        assert told[3] == {"state": "queued", "attempt": 1}


def test_a_job_that_is_queued_again_has_no_progress_of_the_attempt_before(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
        claimed(session, job_id)
        save_progress(session, job_id, 1, {"stage": "train", "step": 40, "eta_seconds": 12.5})
        assert hand_back(session, job_id, 1, error=ERROR) is not None
        assert get_job(session, job_id).progress is None
        assert claimed(session, job_id).progress is None
        save_progress(session, job_id, 2, {"stage": "train", "step": 50, "eta_seconds": 9.5})
        failed = change_state(session, job_id, State.FAILED, attempt=2, error=ERROR)
        assert failed is not None
        assert failed.progress == {"stage": "train", "step": 50, "eta_seconds": 9.5}
        assert resume(session, job_id).progress is None


def test_hand_back_queues_until_the_attempts_are_used_up(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session, max_attempts=2).id
        claimed(session, job_id)
        mark_published(session, job_id)
        first = hand_back(session, job_id, 1, error=ERROR)
        assert first is not None
        assert (first.state, first.published_at, first.worker) == (State.QUEUED, None, None)
        claimed(session, job_id)
        spared = hand_back(session, job_id, 2, error=ERROR, spare=True)
        assert spared is not None
        assert (spared.state, spared.max_attempts) == (State.QUEUED, 3)
        claimed(session, job_id)
        last = hand_back(session, job_id, 3, error=ERROR)
        assert last is not None
        assert (last.state, last.error) == (State.FAILED, ERROR)


def test_hand_back_of_a_job_to_be_cancelled_cancels_it(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
        claimed(session, job_id)
        request_cancel(session, job_id)
        ended = hand_back(session, job_id, 1, error=ERROR)
        assert ended is not None
        assert (ended.state, ended.error) == (State.CANCELLED, None)


def test_cancel_by_state(sessions: Sessions) -> None:
    with sessions.begin() as session:
        waiting, running, over = (make_job(session).id for _ in range(3))
        claimed(session, running)
        claimed(session, over)
        change_state(session, over, State.SUCCEEDED)
        assert request_cancel(session, waiting).state == State.CANCELLED
        assert request_cancel(session, running).state == State.CANCELLING
        assert request_cancel(session, running).state == State.CANCELLING
        with pytest.raises(StateConflict, match="succeeded") as refused:
            request_cancel(session, over)
        assert refused.value.hint == "It has ended, there is nothing to stop."
        with pytest.raises(NotFound) as missing:
            request_cancel(session, 999)
        assert missing.value.request == Request("GET", "/jobs")


@pytest.mark.parametrize("state", sorted(set(State) - {State.FAILED, State.CANCELLED}))
def test_resume_only_from_failed_or_cancelled(sessions: Sessions, state: State) -> None:
    with sessions.begin() as session:
        job = make_job(session)
        force_state(session, job, state)
        with pytest.raises(StateConflict, match=state) as raised:
            resume(session, job.id)
        assert raised.value.hint


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("import", "/datasets/pets"),
        ("interpret", "/runs/None/confusion"),
        ("train", "/runs/None"),
        ("lr_find", "/runs/None"),
    ],
)
def test_instead_of_resuming_a_finished_job_its_kind_is_looked_at(sessions: Sessions, kind: str, path: str) -> None:
    with sessions.begin() as session:
        job = create_job(session, kind=kind, payload={"name": "pets"}, max_attempts=1)
        force_state(session, job, State.SUCCEEDED)
        with pytest.raises(StateConflict) as raised:
            resume(session, job.id)
        assert raised.value.request == Request("GET", path)


def test_an_idempotency_key_finds_its_job_and_no_other_body(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job = create_job(session, kind="train", max_attempts=1, idempotency_key="k", request_sha256="a")
        found = find_by_idempotency_key(session, "k", "a")
        assert found is not None
        assert found.id == job.id
        assert find_by_idempotency_key(session, "other", "a") is None
        with pytest.raises(IdempotencyConflict):
            find_by_idempotency_key(session, "k", "b")


def test_event_ids_are_in_commit_order_within_a_job(sessions: Sessions) -> None:
    """A writer that holds the row makes the next one wait, so no smaller id can be committed later."""
    with sessions.begin() as session:
        job_id = make_job(session).id
    seen: list[int] = []

    def write(_: int) -> None:
        for _ in range(10):
            with sessions.begin() as session:
                append_event(session, job_id, "log", {"message": "x"})

    def watch() -> None:
        while len(seen) < 41:
            with sessions.begin() as session:
                seen.extend(event.id for event in events_after(session, job_id, seen[-1] if seen else 0))

    with ThreadPoolExecutor(5) as pool:
        watcher = pool.submit(watch)
        list(pool.map(write, range(4)))
        watcher.result(timeout=PATIENCE_SECONDS)
    assert len(seen) == 41
    assert seen == sorted(seen)


def test_progress_is_kept_and_told_without_what_json_cannot_hold(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
        claimed(session, job_id)
        assert save_progress(session, job_id, 1, {"stage": "tr\x00ain", "eta_seconds": float("inf"), "step": 3})
    with sessions.begin() as session:
        expected = {"stage": "tr\N{REPLACEMENT CHARACTER}ain", "eta_seconds": None, "step": 3}
        assert get_job(session, job_id).progress == expected
        assert events_after(session, job_id, 0)[-1].data == expected


def test_a_job_that_is_tried_again_rests_longer_each_time(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session, max_attempts=9).id
        rests = []
        for attempt in range(1, 9):
            claimed(session, job_id)
            job = hand_back(session, job_id, attempt, error=ERROR)
            assert job is not None
            assert job.not_before is not None
            rests.append((job.not_before - session.scalars(select(func.now())).one()).total_seconds())
    whole = [1, 2, 4, 8, 16, 32, 60, 60]
    assert all(0.5 * most <= rest <= most for rest, most in zip(rests, whole, strict=True))
    assert len(set(rests)) == len(rests), "by chance"


def test_a_job_that_was_put_down_or_resumed_does_not_rest(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session, max_attempts=2).id
        claimed(session, job_id)
        spared = hand_back(session, job_id, 1, error=ERROR, spare=True)
        assert spared is not None
        assert spared.not_before is None
        claimed(session, job_id)
        hand_back(session, job_id, 2, error=ERROR)
        request_cancel(session, job_id)
        assert resume(session, job_id).not_before is None
