"""A forecast job: with a real worker, and what an attempt at one minds."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from ml.config import LrFind, TrainSettings
from ml.errors import OutOfMemory, Stopped
from store.artifacts import ArtifactStore
from store.db.jobs import claim, create_job, request_cancel
from store.db.reading import events_after, get_job
from store.db.throughput_table import Throughput
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient
from tests.store.rows import make_dataset, make_job
from tests.worker.attempts import Stack
from tests.worker.processes import running, until
from worker.attempt import Attempt
from worker.forecasting import DeviceBusy, measure_for_forecast

Sessions = sessionmaker[Session]
TINY = TrainSettings(arch="mobilenet_v3_small", presize=40, size=32, batch_size=4, precision="fp32")
TINY_FIELDS = {"arch", "presize", "size", "batch_size", "precision"}


def asked(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - config fields
    config = {**TINY.model_dump(include=TINY_FIELDS), "epochs": 3, **changes}
    return {"kind": "forecast", "of": {"kind": "train", "dataset": "pets", "config": config}}


@pytest.mark.thorough
@pytest.mark.long
def test_a_worker_measures_and_the_job_has_the_forecast(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore
) -> None:
    Records(sessions, artifacts).dataset()
    app = create_app(settings, load=FakeClassifier.load)
    with running("worker", settings) as worker, TestClient(app, base_url="http://localhost") as client:

        def ended(job: dict[str, Any]) -> dict[str, Any]:
            def look() -> dict[str, Any] | None:
                found: dict[str, Any] = client.get(f"/jobs/{job['id']}").json()
                return found if found["state"] in {"succeeded", "failed"} else None

            return until(look, "the end of a forecast")

        queued, refused = (client.post("/jobs", json=body) for body in (asked(), asked(precision="fp16")))
        assert (queued.status_code, refused.status_code) == (202, 202)
        job, failed = ended(queued.json()), ended(refused.json())
        assert "torch" not in Path(f"/proc/{worker.popen.pid}/maps").read_text()
        assert job["state"] == "succeeded", job["error"]
        found = job["forecast"]
        # What was measured is on record: the second answer needs no worker and is the same.
        again = client.post("/jobs", json=asked())
        assert (again.status_code, again.json()["state"], again.json()["forecast"]) == (200, "succeeded", found)
        assert client.post("/jobs?dry_run=true", json=asked()["of"]).json()["forecast"] == found
        assert client.get("/runs").json()["items"] == []
    frozen, unfrozen = found["seconds_per_epoch"]
    assert found["total_seconds"] == pytest.approx(frozen + 3 * unfrozen)
    assert found["total_seconds_low"] <= found["total_seconds"] <= found["total_seconds_high"]
    assert (found["from"], found["precision"]) == ("measured", "fp32")
    assert found["device"].startswith("cpu (")
    assert found["peak_memory_bytes"] > 50e6
    assert (failed["state"], failed["attempt"], failed["error"]["code"]) == ("failed", 1, "precision_unsupported")
    assert "bf16" in failed["error"]["hint"]
    with sessions.begin() as session:
        rows = session.scalars(select(Throughput).order_by(Throughput.id)).all()
        assert [(row.freeze, row.step_pictures, row.precision_asked) for row in rows] == [
            (True, 4, "fp32"),
            (False, 4, "fp32"),
        ]
        stages = {e.data.get("stage") for e in events_after(session, job["id"], 0) if e.event == "progress"}
    assert stages == {"measure"}


@pytest.fixture
def attempt(stack: Stack) -> Attempt:
    """An attempt at a forecast by the worker ``here:2``."""
    config = LrFind.model_validate(TINY.model_dump())
    with stack.sessions.begin() as session:
        payload = {"config": config.model_dump(mode="json"), "dataset_id": make_dataset(session).id}
        other = make_job(session, kind="interpret")
        job = create_job(session, kind="forecast", payload=payload, max_attempts=3)
        assert claim(session, job.id, worker="here:2", lease_seconds=60)
    assert other.id < job.id
    return stack.attempt(job.id)


def measurements(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return session.scalars(select(func.count()).select_from(Throughput)).one()


def test_nothing_is_timed_beside_another_job_of_the_same_host(stack: Stack, attempt: Attempt) -> None:
    with stack.sessions.begin() as session:
        assert claim(session, attempt.job.id - 1, worker="here:1", lease_seconds=60)
    with pytest.raises(DeviceBusy, match=rf"job {attempt.job.id - 1} \(interpret\) is at work on the same host"):
        measure_for_forecast(attempt)
    assert measurements(stack.sessions) == 0


def test_a_forecast_that_is_cancelled_stops_between_two_steps(stack: Stack, attempt: Attempt) -> None:
    with stack.sessions.begin() as session:
        request_cancel(session, attempt.job.id)
    with pytest.raises(Stopped):
        measure_for_forecast(attempt)
    assert measurements(stack.sessions) == 0


@pytest.mark.thorough
def test_after_the_kernel_killed_whole_batches_halves_are_timed(stack: Stack, attempt: Attempt) -> None:
    attempt.job.payload["accumulation"] = 2
    measure_for_forecast(attempt)
    with stack.sessions.begin() as session:
        assert set(session.scalars(select(Throughput.accumulation))) == {2}
        job = get_job(session, attempt.job.id)
    assert (job.state, job.payload["precision"]) == (State.SUCCEEDED, "fp32")


def test_a_batch_of_two_cannot_be_halved(attempt: Attempt) -> None:
    attempt.job.payload["config"]["batch_size"] = 2
    attempt.job.payload["accumulation"] = 2
    with pytest.raises(OutOfMemory):
        measure_for_forecast(attempt)
