"""Keys, and an app that asks for one."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from store.access import Scope
from store.db.access_keys import create_key
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.web import TestClient

Make = Callable[..., str]


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def make(sessions: sessionmaker[Session]) -> Make:
    """Makes keys as the command does, in the database itself."""

    def make(name: str, scope: Scope = Scope.ADMIN, expires_at: datetime | None = None) -> str:
        with sessions.begin() as session:
            return create_key(session, name=name, scope=scope, expires_at=expires_at)[1]

    return make


@pytest.fixture
def keys(make: Make) -> dict[Scope, str]:
    return {scope: make(scope.value, scope) for scope in Scope}


@pytest.fixture
def closed(keys: dict[Scope, str], settings: Settings) -> Iterator[TestClient]:
    """An app on a database that has keys."""
    assert keys
    app = create_app(settings, load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
