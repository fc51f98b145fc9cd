"""Train and interpret jobs: tiny pictures, from scratch, the whole way; with a real worker, and worked off here."""

import json
import os
import signal
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from ml.config import TrainSettings, resolve, train_config
from ml.data.manifest import Manifest
from ml.data.split import training_pictures
from store.artifacts import ArtifactStore
from store.db.checkpoints import CheckpointRecord, checkpoints_of
from store.db.datasets import current_dataset
from store.db.jobs import create_job, resume
from store.db.lineage import cut_short
from store.db.models import Dataset, Interpretation, Job, Run
from store.db.reading import artifacts_of, batches_of, epochs_of, events_after, get_job, get_run, interpretation_of
from store.db.registry import register
from store.dispatch import dispatch_job
from store.errors import StateConflict
from store.keys import manifest_key
from store.settings import Settings
from store.states import State
from tests.worker.attempts import Stack
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import job_in, running, until

Sessions = sessionmaker[Session]
CONFIG = {
    "recipe": "one_cycle",
    "arch": "mobilenet_v3_small",
    "pretrained": False,
    "presize": 40,
    "size": 32,
    "batch_size": 4,
    "epochs": 2,
    "freeze": False,
    "precision": "fp32",
}
LEFT = ("model.safetensors", "model.json", "judgement.safetensors", "features.safetensors", "predictions.jsonl")
PER_BREED = 12
STEPS_PER_EPOCH = 5  # 24 pictures, 20 of them to train on, four a batch


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A lease that a machine busy with learning does not miss."""
    return settings.model_copy(update={"lease_seconds": 30.0})


@pytest.fixture
def pets(stack: Stack) -> int:
    """An imported dataset's id."""
    return brought(stack, PER_BREED)


def brought(stack: Stack, per_breed: int) -> int:
    """The id of a dataset's next revision, with so many pictures of each breed."""
    job_id, _ = queue_import(stack.sessions, stack.artifacts, archive(per_breed))
    done(stack, job_id)
    with stack.sessions.begin() as session:
        dataset = current_dataset(session, "pets")
        assert dataset is not None
        return dataset.id


def queue_training(sessions: Sessions, dataset_id: int, split_seed: int = 42, **columns: int) -> tuple[int, int]:
    """A run and its job, not yet published."""
    config = resolve(train_config.validate_python({**CONFIG, "split_seed": split_seed})).model_dump(mode="json")
    with sessions.begin() as session:
        run = Run(kind="train", dataset_id=dataset_id, config=config, **columns)
        session.add(run)
        session.flush()
        return run.id, create_job(session, kind="train", run_id=run.id, max_attempts=3).id


def queue_interpretation(sessions: Sessions, run_id: int, dataset_id: int, *, tta: bool) -> int:
    """An interpret job as POST /jobs makes it, not yet published."""
    payload = {"config": {"tta": tta, "dataset": None}, "dataset_id": dataset_id}
    with sessions.begin() as session:
        return create_job(session, kind="interpret", run_id=run_id, payload=payload, max_attempts=3).id


def kept(sessions: Sessions, run_id: int) -> list[CheckpointRecord]:
    with sessions.begin() as session:
        return checkpoints_of(session, run_id) or []


def checkpoints_in(artifacts: ArtifactStore, run_id: int) -> list[str]:
    return [found.key for found in artifacts.keys_below(f"runs/{run_id}/") if "/checkpoint" in found.key]


def done(stack: Stack, *jobs: int) -> None:
    """Work them off here."""
    for job_id in jobs:
        assert stack.worked_off(job_id).error is None


def finished(sessions: Sessions, job_id: int) -> Job:
    job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert job.error is None
    return job


@pytest.mark.thorough
@pytest.mark.long
def test_train_then_go_on_from_it_then_interpret(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery, pets: int
) -> None:
    run_id, job_id = queue_training(sessions, pets)
    child_id, child_job = queue_training(sessions, pets, parent_id=run_id)
    with running("worker", settings):
        dispatch_job(celery, sessions, job_id)
        finished(sessions, job_id)
        check_record(sessions, artifacts, run_id, job_id)
        with sessions.begin() as session:
            renew = create_job(session, kind="interpret", run_id=run_id, payload={}, max_attempts=3).id
            first = interpretation_of(session, run_id)
        dispatch_job(celery, sessions, renew)
        dispatch_job(celery, sessions, child_job)
        finished(sessions, renew)
        finished(sessions, child_job)
    with sessions.begin() as session:
        renewed = interpretation_of(session, run_id)
        assert (first.job_id, renewed.job_id) == (job_id, renew)
        assert renewed.matrix == first.matrix
        assert renewed.valid_loss == pytest.approx(first.valid_loss, rel=1e-4)
        assert get_run(session, child_id).weights is None
        assert len(epochs_of(session, child_id)) == 2


@pytest.mark.thorough
def test_interpret_with_copies_and_on_a_later_revision_of_the_dataset(
    stack: Stack, sessions: Sessions, artifacts: ArtifactStore, pets: int
) -> None:
    run_id, job_id = queue_training(sessions, pets)
    done(stack, job_id)
    # The same pictures, and two more of each breed.
    later = brought(stack, PER_BREED + 2)
    with sessions.begin() as session:
        before = interpretation_of(session, run_id)
    averaged, elsewhere = (
        queue_interpretation(sessions, run_id, about, tta=tta) for about, tta in ((pets, True), (later, False))
    )
    done(stack, averaged, elsewhere)
    with sessions.begin() as session:
        own, other = interpretation_of(session, run_id), interpretation_of(session, run_id, "pets")
        files = {file.name: file.key for file in artifacts_of(session, run_id)}
        said = [event.data["message"] for event in events_after(session, elsewhere, 0) if event.event == "log"]
        assert get_run(session, run_id).error_rate == before.error_rate
    assert (own.dataset_id, own.job_id, own.tta) == (pets, averaged, True)
    assert [row["item"] for row in own.items] == [row["item"] for row in before.items]
    assert own.valid_loss != before.valid_loss
    assert (other.dataset_id, other.job_id, other.tta) == (later, elsewhere, False)
    assert (other.vocab, [sum(row) for row in other.matrix]) == (["Birman", "pug"], [PER_BREED + 2] * 2)
    known = {row["path"] for row in other.items if row["trained_on"]}
    assert len(known) == 2 * PER_BREED - len(before.items)
    assert not known & {row["path"] for row in before.items}
    everything = 2 * (PER_BREED + 2)
    assert said == [f"the model was trained on {len(known)} of these {everything} photos"]
    lines = artifacts.get_bytes(files[f"predictions-{later}.jsonl"]).decode().splitlines()
    assert [json.loads(line)["item"] for line in lines] == list(range(everything))
    assert len(artifacts.get_bytes(files["predictions.jsonl"]).splitlines()) == len(own.items)


@pytest.mark.thorough
def test_what_a_runs_ancestor_was_trained_on_counts_as_known(
    stack: Stack, sessions: Sessions, artifacts: ArtifactStore, pets: int
) -> None:
    later = brought(stack, PER_BREED + 2)
    parent, first = queue_training(sessions, later)
    child, second = queue_training(sessions, pets, split_seed=7, parent_id=parent)
    done(stack, first, second)
    jobs = [queue_interpretation(sessions, child, about, tta=False) for about in (pets, later)]
    done(stack, *jobs)
    with sessions.begin() as session:
        revisions = [session.get_one(Dataset, about).revision for about in (pets, later)]
        readings = [session.get_one(Interpretation, (child, about)) for about in (pets, later)]
        said = [[e.data["message"] for e in events_after(session, one, 0) if e.event == "log"] for one in jobs]
    own, whole = (Manifest.model_validate_json(artifacts.get_bytes(manifest_key(one))) for one in revisions)
    seventh, usual = TrainSettings(split_seed=7), TrainSettings()
    known = training_pictures(own, seventh) | training_pictures(whole, usual)
    assert len(known) > max(
        len(training_pictures(whole, usual)),
        len(training_pictures(own, seventh)),
    )
    for manifest, reading, (message,) in zip((own, whole), readings, said, strict=True):
        marked = [manifest.items[row["item"]].sha256 in known for row in reading.items]
        assert [row["trained_on"] for row in reading.items] == marked
        assert message == f"the model was trained on {sum(marked)} of these {len(marked)} photos"


def check_record(sessions: Sessions, artifacts: ArtifactStore, run_id: int, job_id: int) -> None:
    with sessions.begin() as session:
        run, interpretation = get_run(session, run_id), interpretation_of(session, run_id)
        files = {file.name: file.key for file in artifacts_of(session, run_id)}
        assert [row.step for row in batches_of(session, run_id)] == list(range(2 * STEPS_PER_EPOCH))
        assert [(row.phase, row.epoch) for row in epochs_of(session, run_id)] == [(0, 0), (0, 1)]
        kinds = {event.event for event in events_after(session, job_id, 0)}
    assert kinds == {"state", "progress", "batch", "epoch", "log"}
    assert (run.precision, run.weights) == ("fp32", None)
    assert run.versions is not None
    assert "torch" in run.versions
    assert run.error_rate == interpretation.error_rate
    assert sum(map(sum, interpretation.matrix)) == len(interpretation.items) == 4
    assert files.keys() == {*LEFT}
    about = json.loads(artifacts.get_bytes(files["model.json"]))
    assert about["dataset"]["name"] == "pets"
    assert about["vocab"] == ["Birman", "pug"]
    assert checkpoints_in(artifacts, run_id) == []


@pytest.mark.thorough
@pytest.mark.long
def test_a_training_whose_process_is_killed_goes_on_from_its_checkpoint(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery, pets: int, tmp_path: Path
) -> None:
    run_id, job_id = queue_training(sessions, pets)
    dispatch_job(celery, sessions, job_id)
    short = {"PEDIGREE_CHECKPOINT_SECONDS": "0.001"}
    with running("worker.repair", settings), running("worker", settings, **short) as worker:
        child = worker.child()
        until(lambda: kept(sessions, run_id), "a checkpoint")
        os.kill(child, signal.SIGKILL)
        assert finished(sessions, job_id).attempt == 2
    with sessions.begin() as session:
        run = get_run(session, run_id)
        assert run.plan is not None
        assert run.plan["resumed_from_step"] >= 1
        assert [row.step for row in batches_of(session, run_id)] == list(range(2 * STEPS_PER_EPOCH))
        assert len(epochs_of(session, run_id)) == 2
    assert checkpoints_in(artifacts, run_id) == []
    assert not list(tmp_path.glob("cache/work/*/*"))


@pytest.mark.thorough
def test_an_attempt_after_one_that_the_kernel_killed_trains_and_predicts_in_halves(
    stack: Stack, sessions: Sessions, pets: int
) -> None:
    run_id, job_id = queue_training(sessions, pets)
    with sessions.begin() as session:
        get_job(session, job_id).payload = {"accumulation": 2}
    done(stack, job_id)
    again = queue_interpretation(sessions, run_id, pets, tta=False)
    done(stack, again)
    with sessions.begin() as session:
        plan = get_run(session, run_id).plan
        assert plan is not None
        assert (plan["accumulation"], plan["halved_from_step"]) == (2, 0)
        steps = [e.data["steps"] for e in events_after(session, again, 0) if e.data.get("stage") == "interpret"]
    assert set(steps) == {2}  # four pictures, four a batch, in two halves


@pytest.mark.thorough
def test_a_head_is_kept_where_the_search_after_it_has_no_answer_and_others_go_on_from_it(
    stack: Stack, sessions: Sessions, artifacts: ArtifactStore, pets: int
) -> None:
    shared = {name: value for name, value in CONFIG.items() if name not in {"recipe", "epochs", "freeze"}}
    phases = [{"freeze": True, "epochs": 1}, {"freeze": False, "epochs": 1, "lr_max": "auto"}]
    still = {"steps": 24, "sweeps": 1, "start_lr": 1e-12, "end_lr": 1e-11}
    both = {**shared, "recipe": "phases", "phases": phases, "lr_sweep": still}
    run_id, job_id = queue_training(sessions, pets)
    child_id, child_job = queue_training(sessions, pets, parent_id=run_id)
    with sessions.begin() as session:
        get_run(session, run_id).config = resolve(train_config.validate_python(both)).model_dump(mode="json")
    failed = stack.worked_off(job_id)
    done(stack, child_job)
    assert failed.error is not None
    assert failed.error["code"] == "no_rate_found"
    assert "before phase 2 has no answer" in failed.error["detail"]
    assert failed.error["detail"].endswith(", but the model of the phases before it is kept")
    assert failed.error["hint"].startswith(f"Go on with from_run {run_id}. Give the rate as a number")
    with sessions.begin() as session:
        run, reading = get_run(session, run_id), interpretation_of(session, run_id)
        assert (run.error_rate, reading.job_id, len(reading.items)) == (reading.error_rate, job_id, 4)
        assert [epoch.phase for epoch in epochs_of(session, run_id)] == [0]
        names = {file.name for file in artifacts_of(session, run_id)}
        assert names == {*LEFT}
        assert register(session, run_id).version.run_id == run_id
        assert cut_short(session, [run_id, child_id]) == {run_id: 1}
        with pytest.raises(StateConflict, match=f"its run {run_id} keeps the model") as raised:
            resume(session, job_id)
        assert raised.value.hint == failed.error["hint"]
    assert checkpoints_in(artifacts, run_id) == []


def test_an_impossible_training_fails_with_its_code(stack: Stack, sessions: Sessions, pets: int) -> None:
    run_id, job_id = queue_training(sessions, pets)
    with sessions.begin() as session:
        run = get_run(session, run_id)
        run.config = {**run.config, "batch_size": 1024}
    job = stack.worked_off(job_id)
    assert job.error is not None
    assert (job.error["code"], job.attempt) == ("batch_too_large", 1)
    assert job.error["hint"]
