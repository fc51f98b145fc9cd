from datetime import timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session, sessionmaker

from store.db.checkpoints import CheckpointRecord, record_checkpoints
from store.db.jobs import change_state
from store.db.models import Job
from store.db.records import record_artifact
from store.db.unneeded import unneeded_answers, unneeded_files
from store.keys import (
    ANSWERS_CSV,
    MODEL,
    RunFile,
    answers_key,
    answers_part_key,
    checkpoint_key,
    old_checkpoint_key,
    output_key,
    read_run_file,
    run_key,
)
from store.states import State
from tests.store.rows import ERROR, claimed, make_job, make_run

Sessions = sessionmaker[Session]


def file_of(key: str) -> RunFile:
    found = read_run_file(key)
    assert found is not None
    return found


def unneeded(session: Session, files: list[RunFile]) -> list[str]:
    return unneeded_files(session, files, checkpoint_life=timedelta(days=30))


def test_a_key_says_whose_file_it_is() -> None:
    assert file_of(output_key(7, 12, 3, "model.json")) == RunFile("runs/7/12-3/model.json", 7, 12, 3)
    assert file_of(checkpoint_key(7, 2, 140)) == RunFile("runs/7/checkpoint-2-140.safetensors", 7, None, 0)
    assert file_of(old_checkpoint_key(7)) == RunFile("runs/7/checkpoint.safetensors", 7, None, 0)
    assert read_run_file(run_key(7, "model.json")) is None
    assert read_run_file("runs/7/12-3/deeper/model.json") is None


def test_outputs_of_attempts_that_are_over_are_unneeded_unless_the_record_names_them(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session).id
        job = claimed(session, make_job(session, run_id=run, kind="train").id).id
        change_state(session, job, State.FAILED, attempt=1, error=ERROR)
        change_state(session, job, State.QUEUED)
        claimed(session, job)
        lost, now, next_one = (output_key(run, job, attempt, "model.json") for attempt in (1, 2, 3))
        elsewhere = [output_key(run, job + 1, 1, "model.json"), output_key(run + 1, job, 1, "model.json")]
        files = [file_of(key) for key in (lost, now, next_one, *elsewhere)]
        assert unneeded(session, files) == [lost]
        change_state(session, job, State.SUCCEEDED, attempt=2)
        assert unneeded(session, files) == [lost, now]
        record_artifact(session, run, "model.json", key=now, sha256="ab", size=1)
        assert unneeded(session, files) == [lost]


def test_only_a_run_that_succeeded_needs_no_checkpoint(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session).id
        job = claimed(session, make_job(session, run_id=run, kind="train").id).id
        make_job(session, run_id=run, kind="interpret")
        kept = [file_of(checkpoint_key(run, 1, 30)), file_of(checkpoint_key(run + 1, 1, 30))]
        assert unneeded(session, kept) == []
        change_state(session, job, State.FAILED, attempt=1, error=ERROR)
        assert unneeded(session, kept) == [], "it may be resumed"
        change_state(session, job, State.QUEUED)
        claimed(session, job)
        change_state(session, job, State.SUCCEEDED, attempt=2)
        assert unneeded(session, kept) == [checkpoint_key(run, 1, 30)]


def test_a_failed_run_that_kept_a_model_needs_no_checkpoint(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session).id
        job = claimed(session, make_job(session, run_id=run, kind="train").id).id
        change_state(session, job, State.FAILED, attempt=1, error=ERROR)
        record_artifact(session, run, MODEL, key=output_key(run, job, 1, MODEL), sha256="ab", size=1)
        assert unneeded(session, [file_of(checkpoint_key(run, 1, 30))]) == [checkpoint_key(run, 1, 30)]


@pytest.mark.parametrize("end", [State.FAILED, State.CANCELLED])
def test_checkpoints_of_a_run_that_may_be_resumed_go_with_their_age(sessions: Sessions, end: State) -> None:
    with sessions.begin() as session:
        run = make_run(session).id
        job = claimed(session, make_job(session, run_id=run, kind="train").id).id
        change_state(session, job, State.CANCELLING if end is State.CANCELLED else end, attempt=1)
        change_state(session, job, end)
        key = checkpoint_key(run, 1, 30)
        record_checkpoints(session, run, [CheckpointRecord(key, 30)])
        for days, gone in ((29, []), (31, [key])):
            ended = func.now() - timedelta(days=days)
            session.execute(update(Job).where(Job.id == job).values(finished_at=ended))
            assert unneeded(session, [file_of(key)]) == gone
        change_state(session, job, State.QUEUED, finished_at=None)
        assert unneeded(session, [file_of(key)]) == [], "it is resumed, and may still need it"


def test_a_checkpoint_that_the_record_does_not_name_is_unneeded(sessions: Sessions) -> None:
    """A process was killed between storing it and naming it, or before it deleted what was replaced."""
    with sessions.begin() as session:
        run = make_run(session).id
        claimed(session, make_job(session, run_id=run, kind="train").id)
        keys = [checkpoint_key(run, 1, step) for step in (10, 20, 30)]
        record_checkpoints(session, run, [CheckpointRecord(keys[2], 30), CheckpointRecord(keys[1], 20)])
        assert unneeded(session, [file_of(key) for key in keys]) == [keys[0]]


def test_a_predict_job_that_has_its_answers_needs_no_parts_of_them(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job = claimed(session, make_job(session, kind="predict").id).id
        part, lost, kept = (
            answers_part_key(job, 1, 0),
            answers_key(job, 1, ANSWERS_CSV),
            answers_key(job, 2, ANSWERS_CSV),
        )
        keys = [part, lost, kept, answers_part_key(job + 1, 1, 0), f"jobs/{job}-1/notes.txt"]

        def found() -> list[str]:
            return unneeded_answers(session, keys, life=timedelta(days=30))

        assert found() == []
        change_state(session, job, State.FAILED, attempt=1, error=ERROR)
        assert found() == [], "it may be resumed"
        session.execute(update(Job).values(finished_at=func.now() - timedelta(days=31)))
        assert found() == [part, lost, kept]
        change_state(session, job, State.QUEUED)
        claimed(session, job)
        change_state(session, job, State.SUCCEEDED, attempt=2, payload={"answers": {ANSWERS_CSV: {"key": kept}}})
        assert found() == [part, lost]
