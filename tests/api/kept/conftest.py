"""An app that keeps predictions and photos, with a model in production."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.app import create_app
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

RED, GREEN, BLUE = jpeg((200, 0, 0)), jpeg((0, 200, 0)), jpeg((0, 0, 200))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_predictions": "photos"})


@pytest.fixture
def keeping(settings: Settings) -> Iterator[Callable[..., TestClient]]:
    """Starts an app with other settings; each is stopped at the end."""
    opened: list[TestClient] = []

    def start(**changes: Any) -> TestClient:  # noqa: ANN401 - any setting
        app = create_app(settings.model_copy(update=changes), load=FakeClassifier.load)
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        opened.append(client)
        return client.__enter__()

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def served(client: TestClient, records: Records) -> TestClient:
    """The app with a model in production, of the three breeds of the records."""
    register(client, records)
    return client


def register(client: TestClient, records: Records) -> None:
    """Put a model of the records' three breeds into production."""
    assert client.post("/models", json={"run": records.served().id, "alias": "production"}).is_success


def ask(client: TestClient, data: bytes = RED, **query: str) -> dict[str, Any]:
    """The answer for one picture."""
    answer = client.post("/predict", files={"file": ("mine.jpg", data)}, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["predictions"][0]
    return found
