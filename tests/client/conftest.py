"""The real API in a thread, with a classifier that costs nothing; the test plays the worker."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from pedigree import Client
from store.artifacts import ArtifactStore
from store.settings import Settings
from tests.api.records import Records
from tests.cli.live_api import LiveApi, live_api


@pytest.fixture
def records(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> Records:
    return Records(sessions, artifacts)


@pytest.fixture
def api(settings: Settings) -> Iterator[LiveApi]:
    with live_api(settings) as api:
        yield api


@pytest.fixture
def client(api: LiveApi) -> Iterator[Client]:
    with Client(api.url) as client:
        yield client
