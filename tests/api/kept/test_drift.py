"""Drift from POST /predict to GET /models/{version}/drift and /metrics."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import create_engine, delete
from sqlalchemy.orm import Session, sessionmaker

from api.kept.watch import Watch
from ml.reading.drift import LEAST_SEEN
from store.artifacts import ArtifactStore
from store.db.drift import add_counts, reference_of, today, versions_counted
from store.db.models import Artifact
from tests.api.kept.conftest import BLUE, RED, ask
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

SIDE = 48


def photo(breed: int, number: int, brightness: int = 120) -> bytes:
    """A noisy photo whose mean colour has most of the breed's own."""
    pixels = np.random.default_rng(number).integers(0, brightness, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels[..., breed] += brightness
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture
def validated(client: TestClient, records: Records, tmp_path: Path) -> TestClient:
    """The app with a model in production that was validated on 60 photos, as many of each breed."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(60):
        (folder / f"{VOCAB[number % 3]}_{number}.jpg").write_bytes(photo(number % 3, number))
    run = records.served(records.dataset_of(folder, "photos"))
    rows = []
    for item in range(60):
        by_breed = {breed: 0.9 if place == item * 3 // 60 else 0.05 for place, breed in enumerate(VOCAB)}
        rows.append(json.dumps({"item": item, "probabilities": by_breed}))
    records.artifact(run, "predictions.jsonl", "\n".join(rows).encode())
    assert client.post("/models", json={"run": run.id, "alias": "production"}).is_success
    return client


def watch_of(app: FastAPI) -> Watch:
    found: Watch = app.state.services.afterwards.watch
    return found


def drift(client: TestClient, days: int = 7) -> dict[str, Any]:
    answer = client.get("/models/1/drift", params={"days": days})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_few_answers_are_counted_and_not_judged(validated: TestClient, app: FastAPI) -> None:
    for data in (RED, RED, BLUE):
        ask(validated, data)
    watch_of(app).flush()
    found = drift(validated)
    assert (found["photos"], found["verdict"], found["least"], found["missing"]) == (3, "too_few", LEAST_SEEN, None)
    assert (found["unsure"]["count"], found["unsure"]["of"]) == (0, 3)
    figures = {one["figure"]: one for one in found["figures"]}
    assert figures["breeds"]["steps"] == VOCAB
    assert figures["breeds"]["seen_shares"] == pytest.approx([2 / 3, 0, 1 / 3])
    assert (figures["breeds"]["reference"], figures["probability"]["reference_mean"]) == (60, pytest.approx(0.925))


def test_what_a_deleted_version_had_answered_is_not_counted(
    validated: TestClient, app: FastAPI, sessions: sessionmaker[Session]
) -> None:
    ask(validated, RED)
    run = validated.get("/models/1").json()["run"]
    assert validated.delete("/models/aliases/production").is_success
    assert validated.delete(f"/runs/{run}?cascade=true").is_success
    watch_of(app).flush()
    with sessions.begin() as session:
        assert versions_counted(session, today(session)) == []
    assert 'pedigree_drift_seen{figure="breeds"' not in validated.get("/metrics").text


def test_other_breeds_and_darker_photos_are_seen_once_there_are_enough(
    validated: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch, sessions: sessionmaker[Session]
) -> None:
    monkeypatch.setattr("api.kept.watch.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("api.kept.watch.MOST_WAITING", 0)
    watch = watch_of(app)
    watch._photos.maxsize = 0
    for start in range(0, 2 * LEAST_SEEN, 40):
        files = [("file", (f"{n}.jpg", photo(0, n, brightness=30))) for n in range(start, start + 40)]
        assert validated.post("/predict", files=files).status_code == 200
    while not watch._photos.empty():
        watch._look()
    watch.flush()
    found = drift(validated)
    verdicts = {one["figure"]: one["verdict"] for one in found["figures"]}
    assert (found["verdict"], found["photos"]) == ("clear", 2 * LEAST_SEEN)
    assert verdicts["breeds"] == verdicts["brightness"] == "clear"
    assert verdicts["aspect"] == verdicts["pixels"] == verdicts["kind"] == "alike"
    assert "brightness" in found["sentence"]
    figures = validated.get("/metrics").text
    assert f'pedigree_drift_seen{{figure="breeds",version="1"}} {2.0 * LEAST_SEEN}' in figures
    assert 'pedigree_drift_psi{figure="brightness",version="1"}' in figures
    with sessions.begin() as session:
        reference = reference_of(session, 1)
        assert reference is not None
        assert sum(reference.counts["brightness"]) == sum(reference.counts["kind"]) == 60


def test_what_other_processes_counted_adds_up_and_days_pass(
    validated: TestClient, app: FastAPI, sessions: sessionmaker[Session]
) -> None:
    ask(validated, RED)
    watch_of(app).flush()
    with sessions.begin() as session:
        add_counts(session, 1, today(session), {"breeds": [0, 4, 0]})
    assert drift(validated)["photos"] == 5


def test_without_the_files_of_the_run_it_says_what_is_missing(
    served: TestClient, app: FastAPI, artifacts: ArtifactStore
) -> None:
    assert artifacts.folder is not None
    for stored in artifacts.folder.rglob("predictions.jsonl"):
        stored.write_text("no JSON")
    ask(served, RED)
    before = drift(served)
    assert (before["photos"], before["figures"], before["verdict"]) == (0, [], "too_few")
    assert "made within minutes" in before["missing"]
    watch_of(app).flush()
    found = drift(served)
    assert (found["photos"], found["figures"]) == (1, [])
    assert "stored predictions cannot be read" in found["missing"]


def test_a_version_that_nothing_is_known_of_does_not_keep_the_others_from_being_shown(
    validated: TestClient, app: FastAPI, sessions: sessionmaker[Session]
) -> None:
    ask(validated, RED)
    with sessions.begin() as session:
        add_counts(session, 99, today(session), {"breeds": [1]})
    watch_of(app).flush()
    assert 'pedigree_drift_seen{figure="breeds",version="1"} 1.0' in validated.get("/metrics").text


def test_a_run_without_stored_predictions_has_no_reference(
    served: TestClient, app: FastAPI, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.execute(delete(Artifact).where(Artifact.name == "predictions.jsonl"))
    ask(served, RED)
    watch_of(app).flush()
    assert "stored predictions cannot be read" in drift(served)["missing"]


def test_counts_wait_for_a_database_that_is_away(validated: TestClient, app: FastAPI) -> None:
    watch = watch_of(app)
    ask(validated, RED)
    sessions, watch._sessions = watch._sessions, broken_sessions()
    watch.flush()
    ask(validated, RED)
    watch.flush()
    watch._sessions = sessions
    watch.flush()
    assert drift(validated)["photos"] == 2


def broken_sessions() -> sessionmaker[Session]:
    """Sessions of a database that is not there."""
    return sessionmaker(create_engine("postgresql+psycopg://nobody@/none?host=/nowhere"))


def test_a_version_that_is_not_there_is_not_found(served: TestClient) -> None:
    assert served.get("/models/9/drift").status_code == 404
    assert served.get("/models/0/drift").status_code == 422
    assert served.get("/models/1/drift", params={"days": 0}).status_code == 422
