"""A whole search with real processes, killed in the middle."""

import signal
from typing import Any

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from ml.study.plan import StudyPlan
from store.artifacts import ArtifactStore
from store.db.datasets import current_dataset
from store.db.jobs import create_job
from store.db.models import Job, ModelVersion
from store.db.reading import epochs_of, jobs_of_runs
from store.db.studies import add_study, trials_of
from store.db.study_tables import Study, StudyTrial
from store.dispatch import dispatch_job
from store.settings import Settings
from store.states import State
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import job_in, running, until

Sessions = sessionmaker[Session]
CONFIG = {
    "recipe": "one_cycle",
    "arch": "mobilenet_v3_small",
    "pretrained": False,
    "presize": 40,
    "size": 32,
    "epochs": 2,
    "freeze": False,
    "precision": "fp32",
}
ASKED: dict[str, Any] = {
    "config": CONFIG,
    "space": {"batch_size": [4, 8], "lr_max": {"low": 1e-4, "high": 1e-2, "log": True}},
    "trials": 3,
    "limits": {"answer_ms": 60_000},
}


def begun(sessions: Sessions) -> int:
    """A search, as POST /jobs makes it."""
    asked = StudyPlan.model_validate(ASKED).model_dump(mode="json", by_alias=True)
    with sessions.begin() as session:
        dataset = current_dataset(session, "pets")
        assert dataset is not None
        job = create_job(session, kind="search", payload={"dataset_id": dataset.id}, max_attempts=3)
        add_study(session, job.id, dataset_id=dataset.id, name=None, asked=asked)
        return job.id


def trials_in(sessions: Sessions, search: int) -> list[StudyTrial]:
    with sessions.begin() as session:
        return list(trials_of(session, search))


def jobs_in(sessions: Sessions, search: int) -> dict[int, Job]:
    with sessions.begin() as session:
        return jobs_of_runs(session, [trial.run_id for trial in trials_of(session, search) if trial.run_id])


@pytest.mark.thorough
@pytest.mark.long
def test_a_search_whose_processes_are_killed_goes_on_and_ends(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    # A lease that a machine busy with learning does not miss.
    settings = settings.model_copy(update={"lease_seconds": 6.0})
    imported, _ = queue_import(sessions, artifacts, archive(12))
    dispatch_job(celery, sessions, imported)
    with running("worker.repair", settings) as repair, running("worker", settings) as worker:
        assert job_in(sessions, imported, State.SUCCEEDED, State.FAILED).error is None
        search = begun(sessions)
        second = until(lambda: next(iter(trials_in(sessions, search)[1:2]), None), "a second trial")
        assert second.run_id is not None
        until(lambda: jobs_in(sessions, search)[second.run_id or 0].state == State.RUNNING, "its training at work")
        for process in (repair, worker):
            process.end(signal.SIGKILL)
    with running("worker.repair", settings), running("worker", settings):
        ended = job_in(sessions, search, State.SUCCEEDED, State.FAILED)
    assert ended.error is None
    trials = trials_in(sessions, search)
    assert [trial.number for trial in trials] == [1, 2, 3]
    assert {trial.outcome for trial in trials} <= {"done", "pruned"}
    assert jobs_in(sessions, search)[second.run_id].attempt == 2, "it went on where it was"
    with sessions.begin() as session:
        study = session.get_one(Study, search)
        best = next(trial for trial in trials if trial.number == study.best_trial)
        assert best.value == min(trial.value or 1.0 for trial in trials if trial.outcome == "done")
        assert (best.answer_ms or 0.0) > 0
        assert session.query(ModelVersion).one().run_id == best.run_id
        for trial in trials:
            assert trial.run_id is not None
            assert len(epochs_of(session, trial.run_id)) == (trial.pruned_epoch or 2)
