"""A calibration request with a real worker."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from ml.config import TrainSettings
from store.artifacts import ArtifactStore
from store.db.calibrations import get_request, open_request
from store.db.models import Calibration, CalibrationRequest
from store.queue import publish_calibration
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient
from tests.worker.processes import running, until

Sessions = sessionmaker[Session]
TINY_FIELDS = {"arch", "presize", "size", "batch_size", "precision"}
TINY = TrainSettings(arch="mobilenet_v3_small", presize=40, size=32, batch_size=4, precision="fp32")


def ask(sessions: Sessions, celery: Celery, **changes: Any) -> int:  # noqa: ANN401 - settings
    """A published request's id."""
    settings = TINY.model_copy(update=changes).model_dump(mode="json")
    with sessions.begin() as session:
        request = open_request(session, settings, patience_seconds=0)
        assert request is not None
    publish_calibration(celery, request.id, expires_seconds=600)
    return request.id


def answered(sessions: Sessions, request_id: int) -> CalibrationRequest:
    def look() -> CalibrationRequest | None:
        with sessions.begin() as session:
            request = get_request(session, request_id)
        return request if request.answered_at is not None else None

    return until(look, f"an answer to request {request_id}")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A machine that is busy with other tests may take its time."""
    return settings.model_copy(update={"calibration_seconds": 120.0})


def test_a_worker_measures_and_says_where(settings: Settings, sessions: Sessions, celery: Celery) -> None:
    request_id = ask(sessions, celery)
    unsupported = ask(sessions, celery, precision="fp16")
    with running("worker", settings) as worker:
        request, refused = answered(sessions, request_id), answered(sessions, unsupported)
        assert "torch" not in Path(f"/proc/{worker.popen.pid}/maps").read_text()
    assert request.error is None
    assert request.worker is not None
    assert request.worker.endswith(f":{worker.popen.pid}")
    with sessions.begin() as session:
        rows = session.scalars(select(Calibration).order_by(Calibration.id)).all()
    assert [(row.request_id, row.freeze) for row in rows] == [(request_id, True), (request_id, False)]
    for row in rows:
        assert (row.arch, row.presize, row.size, row.batch_size) == ("mobilenet_v3_small", 40, 32, 4)
        assert row.device.startswith("cpu (")
        assert row.precision == "fp32"
        assert row.images_per_second > 0
        assert row.valid_images_per_second > 0
        assert row.peak_memory_bytes is not None
    assert refused.error is not None
    assert refused.error["code"] == "precision_unsupported"
    assert "bf16" in refused.error["hint"]


def test_a_dry_run_is_forecast_from_what_the_worker_measures(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore
) -> None:
    Records(sessions, artifacts).dataset()
    config = {**TINY.model_dump(include=TINY_FIELDS), "epochs": 3}
    body = {"kind": "train", "dataset": "pets", "config": config}
    app = create_app(settings, load=FakeClassifier.load)
    with running("worker", settings), TestClient(app, base_url="http://localhost") as client:
        until(lambda: client.get("/readyz").json()["lanes"]["train"]["workers"] == 1, "a worker")
        answer = client.post("/jobs?dry_run=true", json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()["forecast"]
        assert found is not None, answer.json()["forecast_reason"]
        # What was measured is on record: the second answer needs no worker and is the same.
        assert client.post("/jobs?dry_run=true", json=body).json()["forecast"] == found
        assert client.get("/jobs").json()["items"] == []
        assert client.get("/runs").json()["items"] == []
    frozen, unfrozen = found["seconds_per_epoch"]
    assert found["total_seconds"] == pytest.approx(frozen + 3 * unfrozen)
    assert found["total_seconds_low"] <= found["total_seconds"] <= found["total_seconds_high"]
    assert (found["from"], found["precision"]) == ("calibrated", "fp32")
    assert found["peak_memory_bytes"] > 50e6


def test_a_question_that_nobody_waits_for_is_left_alone(settings: Settings, sessions: Sessions, celery: Celery) -> None:
    request_id = ask(sessions, celery)
    with sessions.begin() as session:
        session.execute(update(CalibrationRequest).values(created_at=func.now() - timedelta(seconds=121)))
    with running("worker", settings) as worker:
        until(lambda: "not waited for any more" in worker.said(), "a word about it")
    with sessions.begin() as session:
        request = get_request(session, request_id)
        assert (request.worker, request.answered_at) == (None, None)


def test_a_measurement_that_takes_too_long_is_ended(settings: Settings, sessions: Sessions, celery: Celery) -> None:
    # Nothing that imports torch is done in a tenth of a second.
    hurried = settings.model_copy(update={"calibration_seconds": 0.05})
    request_id = ask(sessions, celery)
    with sessions.begin() as session:
        session.execute(update(CalibrationRequest).values(created_at=func.now() + timedelta(hours=1)))
    with running("worker", hurried):
        error = answered(sessions, request_id).error
    assert error is not None
    assert (error["code"], error["detail"]) == ("calibration_failed", "it took more than 0 s")
    with sessions.begin() as session:
        assert session.scalars(select(Calibration)).all() == []
