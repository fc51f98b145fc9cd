"""The app over the real database and broker, with a classifier that costs nothing."""

import time
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from store.artifacts import ArtifactStore
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def records(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> Records:
    return Records(sessions, artifacts)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings, load=FakeClassifier.load)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for what another thread or process is about to do, and leave the processor to it in between."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(pause)
        pause = min(1.3 * pause, 0.1)
