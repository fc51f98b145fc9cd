"""The two checkpoints of a run in the store and in the record."""

import pytest
from sqlalchemy.orm import Session

from ml.errors import CheckpointInvalid, Stopped
from ml.reporting import BatchRecord
from store.db.checkpoints import CheckpointRecord, checkpoints_of, record_checkpoints
from store.db.jobs import hand_back
from store.db.reading import batches_of
from store.keys import checkpoint_key, old_checkpoint_key
from tests.store.rows import ERROR, claimed, make_job, make_run
from tests.worker.attempts import Stack
from worker.attempt import Attempt
from worker.checkpoints import CheckpointStore

RUN = 1


@pytest.fixture
def job_id(stack: Stack) -> int:
    """A claimed train job in its first attempt; its run is 1."""
    with stack.sessions.begin() as session:
        return claimed(session, make_job(session, run_id=make_run(session).id, kind="train").id).id


@pytest.fixture
def keeper(stack: Stack, job_id: int) -> CheckpointStore:
    return CheckpointStore(stack.attempt(job_id))


def keep(keeper: CheckpointStore, step: int) -> None:
    """Keep what says its own step."""
    written = keeper.attempt.work / "checkpoint.safetensors"
    written.write_bytes(b"%d" % step)
    keeper.keep(written, step)
    assert not written.exists()


def steps_of(keeper: CheckpointStore) -> list[int]:
    """What an attempt finds, newest first."""
    return [int(fetch().read_bytes()) for fetch in keeper.kept()]


def next_attempt(stack: Stack, job_id: int) -> Attempt:
    with stack.sessions.begin() as session:
        hand_back(session, job_id, 1, error=ERROR)
        claimed(session, job_id)
    return stack.attempt(job_id, 2)


def stored(stack: Stack) -> set[str]:
    return {found.key for found in stack.artifacts.keys_below("runs/")}


@pytest.mark.thorough
def test_the_last_two_are_kept_and_named(stack: Stack, keeper: CheckpointStore, job_id: int) -> None:
    assert list(keeper.kept()) == []
    for step in (10, 20, 30):
        keep(keeper, step)
    kept = [checkpoint_key(RUN, 1, 30), checkpoint_key(RUN, 1, 20)]
    assert stored(stack) == set(kept)
    assert steps_of(keeper) == [30, 20]
    second = CheckpointStore(next_attempt(stack, job_id))
    assert steps_of(second) == [30, 20], "on whichever host it runs"
    second.forget()
    assert stored(stack) == set()


def test_what_could_not_be_used_makes_room_and_the_good_one_stays(stack: Stack, job_id: int) -> None:
    first = CheckpointStore(stack.attempt(job_id))
    keep(first, 10)
    keep(first, 20)
    second = CheckpointStore(stack.attempt(job_id, 1))
    candidates = second.kept()
    next(candidates)()  # of step 20, found damaged
    assert next(candidates)().read_bytes() == b"10"
    keep(second, 15)
    assert steps_of(second) == [15, 10]
    assert len(stored(stack)) == 2
    list(second.kept())  # neither could be used
    keep(second, 5)
    assert steps_of(second) == [5]


def test_one_that_is_gone_is_missed_by_its_step(stack: Stack, keeper: CheckpointStore) -> None:
    keep(keeper, 10)
    keep(keeper, 20)
    stack.artifacts.delete(checkpoint_key(RUN, 1, 20))
    newest, before = keeper.kept()
    with pytest.raises(CheckpointInvalid, match="the checkpoint of step 20 is not in the artifact store any more"):
        newest()
    assert before().read_bytes() == b"10"


def test_what_another_databases_run_left_under_the_same_number_is_not_found(
    stack: Stack, keeper: CheckpointStore
) -> None:
    stack.artifacts.put_bytes(checkpoint_key(RUN, 1, 30), b"30")
    stack.artifacts.put_bytes(old_checkpoint_key(RUN), b"40")
    assert list(keeper.kept()) == []


def test_what_an_earlier_version_kept_is_looked_at_and_goes_with_the_next(stack: Stack, job_id: int) -> None:
    stack.artifacts.put_bytes(old_checkpoint_key(RUN), b"40")
    keeper = CheckpointStore(next_attempt(stack, job_id))
    assert steps_of(keeper) == [40]
    keep(keeper, 10)
    keep(keeper, 20)
    assert stored(stack) == {checkpoint_key(RUN, 2, step) for step in (10, 20)}


def test_a_kept_checkpoint_has_its_steps_in_the_record(stack: Stack, keeper: CheckpointStore) -> None:
    """Else a worker killed after the checkpoint would leave a gap: the next attempt begins behind these steps."""
    for step in (0, 1):
        batch = BatchRecord(step=step, phase=0, raw_loss=1.0, train_loss=1.0, lr=(0.1,), momentum=0.9)
        keeper.attempt.reporter.on_batches([batch])
    keep(keeper, 2)
    with stack.sessions.begin() as session:
        assert [row.step for row in batches_of(session, RUN)] == [0, 1]


def test_an_attempt_whose_job_is_anothers_keeps_no_checkpoint(
    stack: Stack, keeper: CheckpointStore, job_id: int
) -> None:
    with stack.sessions.begin() as session:
        hand_back(session, job_id, 1, error=ERROR)
    with pytest.raises(Stopped):
        keep(keeper, 10)
    assert stored(stack) == set()


def test_one_that_was_stored_while_the_job_was_lost_is_not_named(
    stack: Stack, keeper: CheckpointStore, job_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt after it may have gone on from an earlier one, and forgotten these steps."""
    put = stack.artifacts.put_file

    def lose(*words: object, **named: object) -> object:
        with stack.sessions.begin() as session:
            hand_back(session, job_id, 1, error=ERROR)
        return put(*words, **named)  # type: ignore[arg-type]

    keep(keeper, 10)
    monkeypatch.setattr(stack.artifacts, "put_file", lose)
    with pytest.raises(Stopped):
        keep(keeper, 20)
    with stack.sessions.begin() as session:
        assert checkpoints_of(session, RUN) == [CheckpointRecord(checkpoint_key(RUN, 1, 10), 10)]


def test_nothing_kept_is_not_the_same_as_nothing_recorded(stack: Stack, job_id: int) -> None:
    assert job_id

    def recorded(session: Session) -> list[CheckpointRecord] | None:
        return checkpoints_of(session, RUN)

    with stack.sessions.begin() as session:
        assert recorded(session) is None
        record_checkpoints(session, RUN, [])
        assert recorded(session) == []
