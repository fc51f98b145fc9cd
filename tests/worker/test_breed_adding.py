"""A job that adds breeds, worked off here: tiny pictures, from scratch."""

import pytest
from sqlalchemy.orm import Session, sessionmaker

from ml.config import AddedBreeds, ResolvedConfig
from store.db.dataset_deletion import DatasetInUse, delete_dataset
from store.db.datasets import current_dataset
from store.db.jobs import create_job
from store.db.models import Dataset, ModelAlias, ModelVersion, Run
from store.db.reading import artifacts_of, events_after, get_job, get_run, interpretation_of
from store.states import State
from tests.worker.attempts import Stack
from tests.worker.pictures import archive, queue_import
from tests.worker.test_learning import LEFT, brought, done, queue_interpretation, queue_training

Sessions = sessionmaker[Session]
PHOTOS = 4


def new_breed(stack: Stack) -> Dataset:
    """A dataset of one breed that the pets have not."""
    job_id, _ = queue_import(stack.sessions, stack.artifacts, archive(PHOTOS, ["collie"]), name="new")
    done(stack, job_id)
    with stack.sessions.begin() as session:
        dataset = current_dataset(session, "new")
        assert dataset is not None
        return dataset


def queue_addition(sessions: Sessions, parent_id: int, new: Dataset) -> tuple[int, int]:
    """A run and its job as POST /models/{version}/breeds makes them, not yet published."""
    with sessions.begin() as session:
        parent = get_run(session, parent_id)
        added = AddedBreeds(dataset=new.name, revision=new.revision, breeds=tuple(new.vocab))
        changes = {"recipe": "add_breeds", "phases": (), "added": (added,)}
        config = ResolvedConfig.model_validate(parent.config).model_copy(update=changes).model_dump(mode="json")
        run = Run(kind="train", dataset_id=parent.dataset_id, parent_id=parent_id, config=config)
        session.add(run)
        session.flush()
        return run.id, create_job(session, kind="train", run_id=run.id, max_attempts=3).id


def test_a_breed_is_added_recorded_registered_and_held_on_to(stack: Stack, sessions: Sessions) -> None:
    parent_id, trained = queue_training(sessions, brought(stack, 12))
    done(stack, trained)
    new = new_breed(stack)
    run_id, job_id = queue_addition(sessions, parent_id, new)
    with sessions.begin() as session, pytest.raises(DatasetInUse):  # before anything came of it, too
        delete_dataset(session, "new")
    done(stack, job_id)
    with sessions.begin() as session:
        run, own, other = (
            get_run(session, run_id),
            interpretation_of(session, run_id),
            interpretation_of(session, run_id, "new"),
        )
        files = {file.name for file in artifacts_of(session, run_id)}
        (version,) = session.query(ModelVersion).all()
        assert session.query(ModelAlias).count() == 0
        said = [event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log"]
    assert run.vocab == own.vocab == other.vocab == ["Birman", "collie", "pug"]
    assert files == {*LEFT, f"predictions-{new.id}.jsonl"}
    assert run.added is not None
    assert (version.run_id, run.added["version"]) == (run_id, version.id)
    assert (run.added["photos"], run.added["known_photos"]) == (PHOTOS, len(own.items))
    assert run.added["error_rate"] == other.error_rate
    assert run.error_rate == own.error_rate == run.added["known_error_after"]
    assert run.added["sentence"] in said
    assert not any(row["trained_on"] for row in [*own.items, *other.items])

    # Predicted again by the model itself, its photos are ones that it learned from.
    again = queue_interpretation(sessions, run_id, new.id, tta=False)
    done(stack, again)
    with sessions.begin() as session:
        assert all(row["trained_on"] for row in interpretation_of(session, run_id, "new").items)


def test_photos_that_are_gone_are_a_failure_in_words(stack: Stack, sessions: Sessions) -> None:
    parent_id, _ = queue_training(sessions, brought(stack, 3))
    new = new_breed(stack)
    _, job_id = queue_addition(sessions, parent_id, new)
    with sessions.begin() as session:
        session.delete(session.get_one(Dataset, new.id))
    stack.worked_off(job_id)
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert job.state == State.FAILED
        assert job.error is not None
        assert "'new', whose breeds were added" in job.error["detail"]
