"""Exports over HTTP: made once by a process, kept, served in parts; what cannot be made says why."""

import io
import json
import signal
import threading
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.serving import export_process, exports
from api.serving.export_process import ExportFailed, ExportProcess, ExportRequest, OnStage
from ml.decode.images import Limits
from ml.errors import OutOfMemory
from ml.run_files import JUDGEMENT
from ml.serve.classifier import Classifier
from ml.serve.export.carried.predict import Model
from store.artifacts import ArtifactStore
from store.cache_names import export_copies
from store.keys import run_key
from store.settings import Settings
from tests.api.conftest import until
from tests.api.records import Records
from tests.api.web import TestClient, same_headers
from tests.ml.pictures import jpeg as noise
from tests.ml.serve.trained import VOCAB, calibrated, trained
from tests.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from api.dependencies import Services


@pytest.fixture
def run(client: TestClient, records: Records, tmp_path: Path) -> int:
    """A run of real weights and with its photos, which is version 1 and in production."""
    dataset = records.dataset_with_photos(tmp_path / "photos")
    found = records.finished(dataset, valid_pct=0.5)
    files = trained(tmp_path / "trained")
    for name in ("model.safetensors", "model.json"):
        records.artifact(found, name, (files / name).read_bytes())
    assert client.post("/models", json={"run": found.id}).status_code == 201
    return found.id


class Held(ExportProcess):
    """A process that waits to be told, and then leaves a zip that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go, self.asked, self.failure = threading.Event(), 0, None

    failure: Exception | None

    def make(self, request: ExportRequest, work: Path, on_stage: OnStage) -> Path:
        self.asked += 1
        on_stage("convert")
        assert self.may_go.wait(PATIENCE_SECONDS)
        if self.failure is not None:
            raise self.failure
        (work / "export.zip").write_bytes(f"{request.form} of {request.version}".encode() * 100)
        return work / "export.zip"


@pytest.fixture
def held(app: FastAPI) -> Iterator[Held]:
    services: Services = app.state.services
    process = Held()
    services.exports._process = process
    yield process
    process.may_go.set()


@pytest.mark.thorough
def test_an_archive_is_made_by_a_process_and_then_kept(client: TestClient, run: int, app: FastAPI) -> None:
    answer = client.get("/models/1/export?format=safetensors")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="model-1-safetensors.zip"'
    assert answer.headers["etag"] == f'"{sha256(answer.content).hexdigest()}"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        told = json.loads(archive.read("model-1-safetensors/manifest.json"))
    assert (told["model"]["version"], told["model"]["run"], told["vocab"]) == (1, run, list(VOCAB))
    assert told["check"]["validation_photos"] == 1
    services: Services = app.state.services
    services.exports._process = ExportProcess(seconds=0)
    again = client.get("/models/1/export?format=safetensors")
    assert again.content == answer.content
    assert [*services.settings.cache.glob("exports/work-*")] == []


@pytest.mark.thorough
def test_an_export_answers_as_predict_does_calibrated(settings: Settings, records: Records, tmp_path: Path) -> None:
    dataset = records.dataset_with_photos(tmp_path / "photos")
    found = records.finished(dataset, valid_pct=0.5)
    files = trained(tmp_path / "trained")
    calibrated(files, temperature=2.5)
    for name in ("model.safetensors", "model.json", JUDGEMENT):
        records.artifact(found, name, (files / name).read_bytes())
    photo = noise(seed=5)
    (tmp_path / "photo.jpg").write_bytes(photo)
    # Given a loader, the app measures no ways: that takes a process and seconds.
    app = create_app(settings, load=lambda folder, way: Classifier.load(folder, "cpu", way))
    with TestClient(app, base_url="http://localhost") as client:
        assert client.post("/models", json={"run": found.id}).status_code == 201
        answer = client.post("/predict?model=1", files={"file": photo}).json()
        made = client.get("/models/1/export?format=safetensors")
    assert made.status_code == 200, made.text
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        archive.extractall(tmp_path)
    carried = Model(tmp_path / "model-1-safetensors")
    (said,) = answer["predictions"]
    assert answer["model"]["calibrated"] is True
    assert carried.manifest["prepare"]["temperature"] == pytest.approx(2.5)
    assert carried.predict(tmp_path / "photo.jpg") == pytest.approx(said["probabilities"], abs=1e-3)
    # What the model said before it was calibrated is far from that.
    assert abs(said["raw_probability"] - said["probability"]) > 0.05


@pytest.mark.usefixtures("run")
def test_it_comes_in_parts_and_a_head_is_the_gets(client: TestClient, held: Held) -> None:
    held.may_go.set()
    path = "/models/1/export?format=onnx"
    whole = client.get(path)
    part = client.get(path, headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole.content[3:10])
    stale = client.get(path, headers={"Range": "bytes=3-9", "If-Range": '"another"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert same_headers(head) == same_headers(whole)


@pytest.mark.usefixtures("run")
def test_who_does_not_want_to_wait_is_told_how_far_it_is(client: TestClient, held: Held) -> None:
    path, headers = "/models/1/export?format=onnx", {"Prefer": "respond-async"}
    until(lambda: client.get(path, headers=headers).json()["stage"] == "convert")
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["state"], answer.headers["retry-after"]) == (202, "making", "1")
    held.may_go.set()
    until(lambda: client.get(path, headers=headers).status_code == 200)
    assert held.asked == 1


@pytest.mark.usefixtures("run")
def test_a_failure_is_told_once_and_then_it_is_made_anew(client: TestClient, held: Held) -> None:
    path, headers = "/models/1/export?format=onnx", {"Prefer": "respond-async"}
    held.failure = ExportFailed("it broke off", "Try another format.")
    held.may_go.set()
    until(lambda: client.get(path, headers=headers).status_code == 500)
    assert client.get(path).json()["code"] == "export_failed"
    held.failure = None
    assert client.get(path).status_code == 200


@pytest.mark.usefixtures("run")
def test_too_many_at_once_are_sent_away(client: TestClient, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_WAITING", 2)
    headers = {"Prefer": "respond-async"}
    for form, status in (("onnx", 202), ("openvino", 202), ("torchscript", 429), ("onnx", 202)):
        answer = client.get(f"/models/1/export?format={form}", headers=headers)
        assert answer.status_code == status
        assert "retry-after" in answer.headers
    held.may_go.set()
    assert client.get("/models/1/export?format=openvino").status_code == 200


@pytest.mark.thorough
@pytest.mark.usefixtures("run")
def test_only_so_many_are_kept(client: TestClient, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_KEPT", 2)
    held.may_go.set()
    for form in ("onnx", "openvino", "torchscript"):
        assert client.get(f"/models/1/export?format={form}").status_code == 200
    services: Services = client.app.state.services  # type: ignore[attr-defined]  # Starlette's own
    assert len(export_copies(services.settings.cache)) == 2


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/models/9/export?format=onnx", 404, "not_found"),
        ("/models/nobody/export?format=onnx", 404, "not_found"),
        ("/models/production/export?format=onnx", 503, "no_model"),
        ("/models/1/export?format=pickle", 422, "invalid_request"),
        ("/models/1/export", 422, "invalid_request"),
        ("/models/..%2F1/export?format=onnx", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_weights_that_are_gone_are_said(client: TestClient, run: int, artifacts: ArtifactStore) -> None:
    artifacts.delete(run_key(run, "model.safetensors"))
    assert client.get("/models/1/export?format=onnx").json()["code"] == "artifact_missing"


def asked(folder: Path) -> tuple[ExportRequest, Path]:
    work = folder / "work"
    work.mkdir()
    return ExportRequest(trained(folder / "model"), "safetensors", 1, 1, (), Limits()), work


def test_a_process_that_takes_too_long_or_is_killed_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed) as failed:
        ExportProcess(seconds=0.01).make(*asked(tmp_path), on_stage=lambda _: None)
    assert failed.value.hint is not None


def test_closing_ends_the_process_that_runs(tmp_path: Path) -> None:
    process = ExportProcess()
    thread = threading.Thread(target=_make_quietly, args=(process, tmp_path))
    thread.start()
    until(lambda: process._running is not None)
    running = process._running
    process.close()
    thread.join(PATIENCE_SECONDS)
    assert running is not None
    assert running.returncode == -signal.SIGKILL
    with pytest.raises(ExportFailed):
        process.make(*asked(tmp_path / "model"), on_stage=lambda _: None)


def _make_quietly(process: ExportProcess, folder: Path) -> None:
    with pytest.raises(ExportFailed):
        process.make(*asked(folder), on_stage=lambda _: None)


@pytest.mark.thorough
def test_what_takes_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_process, "_memory", lambda _: 60 << 20)
    with pytest.raises((ExportFailed, OutOfMemory)):
        ExportProcess().make(*asked(tmp_path), on_stage=lambda _: None)
