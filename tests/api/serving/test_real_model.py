"""Serving with the real classifier: a tiny random resnet18 in the artifact store."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from api.app import create_app
from ml.decode.images import Limits
from ml.learn.checkpoint import save_tensors
from ml.learn.model import build_model
from ml.serve.classifier import Classifier
from store.settings import Settings
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient


def _write_model(folder: Path) -> None:
    folder.mkdir()
    torch.manual_seed(3)
    model = build_model("resnet18", len(VOCAB), None)
    save_tensors(model.state_dict(), folder / "model.safetensors", {"format_version": "1", "arch": "resnet18"})
    about = {"format_version": 1, "arch": "resnet18", "vocab": VOCAB, "size": 32, "presize": 48, "drawn": True}
    (folder / "model.json").write_text(json.dumps(about))


def _photo(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize((80, 60)).save(out, "JPEG")
    return out.getvalue()


def test_the_service_answers_as_the_classifier_does(settings: Settings, records: Records, tmp_path: Path) -> None:
    _write_model(tmp_path / "model")
    run = records.finished(records.dataset(drawn=True))
    for name in ("model.safetensors", "model.json"):
        records.artifact(run, name, (tmp_path / "model" / name).read_bytes())
    photos = [_photo(seed) for seed in range(3)]
    classifier = Classifier.load(tmp_path / "model", "cpu")
    expected = [classifier.scores([one]) for one in classifier.run([classifier.prepare(p, Limits()) for p in photos])]

    with TestClient(create_app(settings), base_url="http://localhost") as client:
        assert client.post("/models", json={"run": run.id, "alias": "production"}).status_code == 201
        files = [("file", (f"{n}.jpg", photo, "image/jpeg")) for n, photo in enumerate(photos)]
        found = client.post("/predict", files=files).json()
        assert client.get("/readyz").status_code == 200
        averaged = client.post("/predict?tta=true", files=files).json()
    assert found["model"]["drawn"] is True
    for prediction, photo in zip(averaged["predictions"], photos, strict=True):
        mean = classifier.scores(list(classifier.run(classifier.prepare_copies(photo, Limits())))).tolist()
        assert list(prediction["probabilities"].values()) == pytest.approx(mean, abs=5e-3)
    for prediction, row in zip(found["predictions"], expected, strict=True):
        assert list(prediction["probabilities"].values()) == pytest.approx(row.tolist(), abs=5e-3)
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert prediction["breed"] == VOCAB[int(row.argmax())]


def test_a_broken_model_file_is_refused_and_said(settings: Settings, records: Records) -> None:
    run = records.finished(records.dataset())
    records.artifact(run, "model.safetensors", b"nonsense")
    about = {"format_version": 99, "arch": "resnet18", "vocab": VOCAB, "size": 32, "presize": 48, "drawn": False}
    records.artifact(run, "model.json", json.dumps(about).encode())
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        refused = client.post("/models", json={"run": run.id, "alias": "production"})
        assert (refused.status_code, refused.json()["code"]) == (500, "checkpoint_invalid")
        assert "format version" in refused.json()["detail"]
        asked = client.post("/predict?model=1", files={"file": _photo(0)})
        assert (asked.status_code, asked.json()["code"]) == (500, "checkpoint_invalid")
        # An alias that could not answer was not set.
        answer = client.post("/predict", files={"file": _photo(0)})
        assert (answer.status_code, answer.json()["code"]) == (503, "no_model")
