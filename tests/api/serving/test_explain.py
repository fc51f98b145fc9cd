"""Heat maps over HTTP: a PNG for one photo, by any model and breed; what cannot be explained says why."""

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from PIL import Image

from api.app import create_app
from api.http.turns import Turns
from api.serving import explaining
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient
from tests.ml.serve.trained import PRESIZE, trained
from tests.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from api.dependencies import Services

PHOTO = {"file": ("it.jpg", jpeg(), "image/jpeg")}
PATH = "/predict/explain?model=1"


@pytest.fixture(autouse=True)
def run(client: TestClient, records: Records, tmp_path: Path) -> int:
    """A run of real weights, which is version 1."""
    found = records.finished()
    files = trained(tmp_path / "trained")
    for name in ("model.safetensors", "model.json"):
        records.artifact(found, name, (files / name).read_bytes())
    assert client.post("/models", json={"run": found.id}).status_code == 201
    return found.id


class Held:
    """Keeps the thread that draws waiting until it may go; ``asked`` counts the pictures that came there."""

    def __init__(self, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go, self.asked = threading.Event(), 0
        self._services: Services = app.state.services
        self._original = self._services.explaining._explainer
        monkeypatch.setattr(self._services.explaining, "_explainer", self)

    def __call__(self, run: int) -> object:
        self.asked += 1
        assert self.may_go.wait(PATIENCE_SECONDS)
        return self._original(run)


def test_a_photo_comes_back_under_its_heat(client: TestClient) -> None:
    answer = client.post(PATH, files=PHOTO)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).width == PRESIZE
    breeds = [client.post(f"{PATH}&breed={breed}", files=PHOTO).content for breed in ("Birman", "pug", "samoyed")]
    assert len(set(breeds)) > 1
    raw = client.post(PATH, content=jpeg(), headers={"Content-Type": "image/jpeg"})
    assert raw.content == answer.content


@pytest.mark.parametrize(
    ("path", "files", "status", "code"),
    [
        (f"{PATH}&breed=fountain", PHOTO, 400, "invalid_request"),
        (PATH, [("file", PHOTO["file"])] * 2, 400, "invalid_request"),
        (PATH, {"file": ("it.jpg", b"no picture", "image/jpeg")}, 415, "not_an_image"),
        ("/predict/explain?model=7", PHOTO, 404, "not_found"),
        ("/predict/explain", PHOTO, 503, "no_model"),
    ],
)
def test_what_cannot_be_explained_says_why(client: TestClient, path: str, files: Any, status: int, code: str) -> None:  # noqa: ANN401 - httpx's own
    answer = client.post(path, files=files)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_too_many_at_once_are_sent_away(client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    services: Services = app.state.services
    monkeypatch.setattr(services.explaining, "_turns", Turns(1, "explanations are being drawn or waiting"))
    held = Held(app, monkeypatch)
    first = threading.Thread(target=client.post, args=(PATH,), kwargs={"files": PHOTO})
    first.start()
    until(lambda: held.asked == 1)
    refused = client.post(PATH, files=PHOTO)
    held.may_go.set()
    first.join()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert client.post(PATH, files=PHOTO).status_code == 200
    assert explaining.MOST_WAITING > 1


def test_what_takes_too_long_is_told_so_and_what_waited_behind_it_is_not_drawn(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings.model_copy(update={"predict_seconds": 0.3}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        held = Held(app, monkeypatch)
        for _ in range(2):
            late = client.post(PATH, files=PHOTO)
            assert (late.status_code, late.json()["code"]) == (503, "too_late")
            assert "PEDIGREE_PREDICT_SECONDS" in late.json()["hint"]
        held.may_go.set()
        places = app.state.services.explaining._turns._free
        until(lambda: places._value == explaining.MOST_WAITING)
    # The second was given up before its turn.
    assert held.asked == 1
