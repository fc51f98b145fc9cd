from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.queue import make_celery
from store.settings import Settings
from tests.worker.attempts import Stack
from worker import child


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A stack that notices losses within a second or two."""
    return settings.model_copy(update={"lease_seconds": 2.0, "repair_seconds": 0.3})


@pytest.fixture
def celery(settings: Settings) -> Celery:
    return make_celery(settings)


@pytest.fixture(autouse=True)
def these_tests_do_not_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt in this process slows no test down that follows: what a process gave up it cannot take back."""
    monkeypatch.setattr(child, "give_way", lambda _: None)


@pytest.fixture
def stack(settings: Settings, sessions: sessionmaker[Session], artifacts: ArtifactStore, tmp_path: Path) -> Stack:
    work = tmp_path / "work"
    work.mkdir()
    return Stack(settings, sessions, artifacts, work)
