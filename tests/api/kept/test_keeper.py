"""What keeping does where something is slow, full, away or ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from api.kept import keeper as keeping_module
from api.kept.counters import Counters
from api.kept.keeper import Keeper
from api.kept.photo_writer import PhotoWriter
from api.kept.room import Room
from api.schemas.predictions import Guess, Prediction
from cli.servers import Postgres
from migrations.engine import upgrade
from store.artifacts import ArtifactStore
from store.db.kept import get_prediction
from store.db.kept_tables import KeptPrediction
from store.db.session import make_engine, make_sessions
from store.errors import ServiceUnavailable
from store.kept_photos import KeptPhotos
from store.settings import Settings
from tests.api.conftest import until
from tests.api.kept.conftest import RED, ask, register
from tests.api.records import Records
from tests.api.web import TestClient
from tests.patience import PATIENCE_SECONDS

Sessions = sessionmaker[Session]


class Moody:
    """Sessions of a database that is ``away``, ``slow``, refuses, or whose last answer is lost, as the test has it."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.may_go = threading.Event()
        self.may_go.set()
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.tries = 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self.tries += 1
        assert self.may_go.wait(PATIENCE_SECONDS)
        if self.before is not None:
            raise self.before
        with self.sessions.begin() as session:
            yield session
        if self.after is not None:
            lost, self.after = self.after, None
            raise lost


AWAY = OperationalError("INSERT", {}, ConnectionError("the server closed the connection"))


class Bench:
    """A keeper with its parts."""

    def __init__(self, sessions: Sessions, artifacts: ArtifactStore, *, rows: int = 100, size: int = 10_000) -> None:
        self.sessions = sessions
        self.moody = Moody(sessions)
        self.registry = CollectorRegistry()
        counters, room = Counters(self.registry), Room(rows=rows, size=size)
        self.writer = PhotoWriter(KeptPhotos(sessions, artifacts, 1 << 20), counters, room)
        self.keeper = Keeper(self.moody, self.writer, counters, room)  # type: ignore[arg-type]  # begin alone is used

    def __enter__(self) -> Self:
        self.writer.start()
        self.keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.moody.may_go.set()
        self.keeper.stop()
        self.writer.stop()

    def keep(self, data: bytes = b"a picture", *, with_photo: bool = False) -> UUID | None:
        said = Prediction(
            filename="",
            breed="pug",
            species="dog",
            probability=1.0,
            raw_probability=1.0,
            sure=True,
            known=None,
            known_score=None,
            sentence="pug",
            set=None,
            top=[Guess(breed="pug", probability=1.0)],
            probabilities={"pug": 1.0},
            raw_probabilities={"pug": 1.0},
        )
        return self.keeper.keep(said, data, version=1, asked="production", seconds=0.1, with_photo=with_photo)

    def count(self) -> int:
        with self.sessions.begin() as session:
            return session.scalar(select(func.count()).select_from(KeptPrediction)) or 0

    def figure(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rests between tries that a test can wait for."""
    monkeypatch.setattr(keeping_module, "GATHER_SECONDS", 0.02)
    monkeypatch.setattr(keeping_module, "REST_SECONDS", 0.05)
    monkeypatch.setattr(keeping_module, "LAST_SECONDS", 0.3)


def test_what_a_slow_database_leaves_waiting_is_bounded_and_the_rest_is_counted(
    sessions: Sessions, artifacts: ArtifactStore
) -> None:
    with Bench(sessions, artifacts, rows=5) as bench:
        bench.moody.may_go.clear()
        ids = [bench.keep() for _ in range(8)]
        assert [one is None for one in ids] == [False] * 5 + [True] * 3
        assert bench.figure("pedigree_predictions_not_kept_total", reason="queue_full") == 3
        assert bench.figure("pedigree_predictions_to_keep") == 5
        bench.moody.may_go.set()
        until(lambda: bench.count() == 5)
        until(lambda: bench.figure("pedigree_predictions_to_keep") == 0)
        assert bench.keep() is not None


def test_pictures_that_wait_are_bounded_in_bytes(sessions: Sessions, artifacts: ArtifactStore) -> None:
    with Bench(sessions, artifacts, size=100) as bench:
        bench.moody.may_go.clear()
        assert bench.keep(b"x" * 60, with_photo=True) is not None
        assert bench.keep(b"x" * 60, with_photo=True) is None
        bench.moody.may_go.set()
        until(lambda: bench.figure("pedigree_photos_kept_total") == 1)
        until(lambda: bench.keep(b"x" * 60) is not None)


def test_what_a_database_did_not_take_waits_and_is_written_once(sessions: Sessions, artifacts: ArtifactStore) -> None:
    with Bench(sessions, artifacts) as bench:
        bench.moody.before = AWAY
        first = bench.keep()
        until(lambda: bench.moody.tries > 2)
        second = bench.keep()
        bench.moody.after = AWAY
        bench.moody.before = None
        assert first is not None
        assert second is not None
        for one in (first, second):
            bench.keeper.wait_for(one, 20)
            with sessions.begin() as session:
                get_prediction(session, one)
        assert bench.count() == 2
        assert bench.figure("pedigree_predictions_kept_total") == 2


def test_what_it_will_never_take_makes_nobody_wait(sessions: Sessions, artifacts: ArtifactStore) -> None:
    with Bench(sessions, artifacts) as bench:
        bench.moody.before = DataError("INSERT", {}, ValueError("of another kind"))
        lost = bench.keep(with_photo=True)
        assert lost is not None
        bench.keeper.wait_for(lost, 20)
        assert bench.figure("pedigree_predictions_not_kept_total", reason="database") == 1
        bench.moody.before = None
        kept = bench.keep()
        assert kept is not None
        bench.keeper.wait_for(kept, 20)
        assert bench.count() == 1


def test_what_waits_at_the_end_is_written_or_counted(sessions: Sessions, artifacts: ArtifactStore) -> None:
    with Bench(sessions, artifacts) as bench:
        for _ in range(20):
            bench.keep()
    assert bench.count() == 20
    with Bench(sessions, artifacts) as bench:
        bench.moody.before = AWAY
        bench.keep()
    assert bench.count() == 20
    assert bench.figure("pedigree_predictions_not_kept_total", reason="database") == 1


def test_a_photo_that_the_store_does_not_take_is_counted_and_its_answer_stays(
    sessions: Sessions, artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, data: bytes) -> None:
        raise ServiceUnavailable(f"no room for {key} of {len(data)} bytes")

    monkeypatch.setattr(artifacts, "put_bytes", refuse)
    monkeypatch.setattr("api.kept.photo_writer.REST_SECONDS", 0.01)
    with Bench(sessions, artifacts) as bench:
        assert bench.keep(with_photo=True) is not None
        until(lambda: bench.figure("pedigree_predictions_not_kept_total", reason="photo_store") == 1)
        assert bench.count() == 1


@pytest.mark.thorough
def test_predictions_go_on_while_postgres_is_away_and_are_kept_when_it_is_back(
    keeping: Callable[..., TestClient], settings: Settings, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    server = Postgres(tmp_path / "postgres")
    url = server.start()
    try:
        own = Settings.model_validate({**settings.model_dump(), "database_url": url})
        upgrade(own.database_url)
        engine = make_engine(own)
        client = keeping(database_url=own.database_url)
        register(client, Records(make_sessions(engine), artifacts))
        engine.dispose()
        server.stop()
        away = [ask(client, RED)["id"] for _ in range(3)]
        assert None not in away
        server.start()
        until(lambda: client.get(f"/predictions/{away[-1]}").status_code == 200)
        assert [client.get(f"/predictions/{one}").status_code for one in away] == [200] * 3
    finally:
        server.stop()
