"""A registration with a real model and its run's own photos; and the photos by which it is checked."""

import json
from pathlib import Path

import pytest
from sqlalchemy import update

from api.app import create_app
from api.serving import validation_photos
from api.serving.measuring import SECONDS
from api.serving.validation_photos import NothingToCheckBy, validation_samples
from ml.decode.images import Limits
from ml.serve.choice import MOST_MOVED
from ml.serve.classifier import Classifier
from ml.serve.machine import machine_kind
from store.db.models import Interpretation, Run
from store.errors import ArtifactMissing
from store.keys import bundle_key
from store.settings import Settings
from tests.api.conftest import until
from tests.api.records import Records
from tests.api.serving.test_real_model import _write_model
from tests.api.web import TestClient


@pytest.fixture
def run(records: Records, tmp_path: Path) -> Run:
    """A run with a real model, and its own predictions of its three photos."""
    _write_model(tmp_path / "model")
    run = records.finished(records.dataset_with_photos(tmp_path / "photos"))
    for name in ("model.safetensors", "model.json"):
        records.artifact(run, name, (tmp_path / "model" / name).read_bytes())
    classifier = Classifier.load(tmp_path / "model", "cpu")
    photos = [path.read_bytes() for path in sorted((tmp_path / "photos").iterdir())]
    outputs = classifier.run([classifier.prepare(photo, Limits()) for photo in photos])
    scores = [dict(zip(classifier.vocab, classifier.scores([one]).tolist(), strict=True)) for one in outputs]
    rows = [{"item": n, "probabilities": found} for n, found in enumerate(scores)]
    records.artifact(run, "predictions.jsonl", "\n".join(map(json.dumps, rows)).encode())
    return run


def registered_and_measured(client: TestClient, run: Run) -> int:
    """Its version in production, once its measurement is recorded: on a busy machine the alias comes before that."""
    version = int(client.post("/models", json={"run": run.id, "alias": "production"}).json()["version"])
    until(lambda: client.get(f"/models/{version}").json()["machines"], SECONDS)
    return version


@pytest.mark.thorough
def test_a_registration_measures_on_the_runs_own_photos_and_answers_as_the_run_stored(
    settings: Settings, run: Run, tmp_path: Path
) -> None:
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        version = registered_and_measured(client, run)
        model = client.get(f"/models/{version}").json()
        (machine,) = model["machines"]
        assert (machine["machine"], machine["reason"]) == (machine_kind("cpu"), None)
        (choice,) = model["choices"]
        assert any(one["passed"] and one["photos"] == 3 for one in choice["candidates"]), choice
        assert_stored_answers(client, run, tmp_path / "photos")


def assert_stored_answers(client: TestClient, run: Run, photos: Path) -> None:
    """What is served of the run's validation photos is what the run stored of them, within what a way may move."""
    stored = [json.loads(line) for line in client.get(f"/runs/{run.id}/artifacts/predictions.jsonl").text.splitlines()]
    files = [("file", (path.name, path.read_bytes(), "image/jpeg")) for path in sorted(photos.iterdir())]
    served = client.post("/predict", files=files).json()["predictions"]
    assert len(served) == len(stored) == 3
    for prediction, row in zip(served, stored, strict=True):
        assert prediction["raw_probabilities"] == pytest.approx(row["probabilities"], abs=MOST_MOVED)
        likely = sorted(row["probabilities"].values())
        if likely[-1] - likely[-2] > 2 * MOST_MOVED:
            assert prediction["breed"] == max(row["probabilities"], key=row["probabilities"].__getitem__)


def test_without_its_photos_it_is_run_in_the_exact_way_and_says_so(
    settings: Settings, records: Records, run: Run, tmp_path: Path
) -> None:
    records.artifacts.delete(bundle_key(run.dataset.revision))
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        version = registered_and_measured(client, run)
        (machine,) = client.get(f"/models/{version}").json()["machines"]
        assert machine["way"] is None
        assert machine["reason"].startswith("the photos of its validation side cannot be read: ")
        assert_stored_answers(client, run, tmp_path / "photos")


def samples_of(records: Records, run: Run, rows: list[dict[str, object]]) -> list[bytes]:
    records.artifact(run, "predictions.jsonl", "\n".join(map(json.dumps, rows)).encode())
    found = validation_samples(records.sessions, records.artifacts, lambda _, item: b"%d" % item, run.id)
    return [sample.data for sample in found]


def test_a_sample_is_the_same_each_time_and_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    run = records.finished()
    rows: list[dict[str, object]] = [
        {"item": item, "probabilities": {"a": 0.5, "b": 0.3, "c": 0.2}} for item in range(1000)
    ]
    rows[7]["probabilities"] = {"a": None, "b": 0.3, "c": 0.2}
    found = samples_of(records, run, rows)
    assert len(set(found)) == len(found) in {299, 300}
    assert found == samples_of(records, run, rows)
    assert b"7" not in found
    monkeypatch.setattr(validation_photos, "MOST_BYTES", 100)
    assert 30 <= len(samples_of(records, run, rows)) <= 60


def test_where_there_is_nothing_to_check_by_it_says_why(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    run = records.finished()

    def gone(revision: str, item: int) -> bytes:
        raise ArtifactMissing(f"item {item} of {revision} is gone")

    with pytest.raises(NothingToCheckBy, match=r"cannot be read: item \d of revision-of-pets is gone"):
        validation_samples(records.sessions, records.artifacts, gone, run.id)
    with pytest.raises(NothingToCheckBy, match="no stored predictions"):
        samples_of(records, run, [])
    monkeypatch.setattr(validation_photos, "MOST_STORED_BYTES", 1)
    with pytest.raises(NothingToCheckBy, match="too large"):
        samples_of(records, run, [{"item": 0, "probabilities": {"a": 1, "b": 0, "c": 0}}])
    with records.sessions.begin() as session:
        session.execute(update(Interpretation).values(tta=True))
    with pytest.raises(NothingToCheckBy, match="averages"):
        samples_of(records, run, [])
