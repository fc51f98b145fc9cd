import re
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from backup import examine as examining
from backup.examine import MOST_APART_SECONDS, _clock, examine
from migrations.engine import upgrade
from store.artifacts import ArtifactStore
from store.db.lanes import keep_worker
from store.lanes import Lane
from store.settings import Settings
from tests.backup.stacks import another_place, fill, sessions_of
from tests.store.rows import claimed, make_job


@pytest.fixture
def at_work(settings: Settings, sessions: sessionmaker[Session]) -> Settings:
    """With a worker of each lane."""
    with sessions.begin() as session:
        keep_worker(session, "w1", list(Lane), 60.0, None)
    return settings


def only_fault(settings: Settings) -> str:
    faults = examine(settings).faults
    assert len(faults) == 1, faults
    return faults[0]


def test_what_is_well_has_no_fault(
    at_work: Settings, sessions: sessionmaker[Session], artifacts: ArtifactStore
) -> None:
    files = fill(sessions, artifacts)
    findings = examine(at_work)
    assert findings.faults == []
    assert findings.found["artifact store"] == findings.found["database"] == "ok"
    assert findings.needed_bytes is not None
    assert findings.needed_bytes > sum(map(len, files.values()))
    assert artifacts.keys_below("check/") == []


def test_a_lane_without_a_worker_is_named(settings: Settings, sessions: sessionmaker[Session]) -> None:
    assert [re.sub(r".*lane (\w+)\..*", r"\1", fault) for fault in examine(settings).faults] == list(Lane)
    with sessions.begin() as session:
        keep_worker(session, "w1", [Lane.TRAIN], 60.0, None)
    assert "`python -m worker --lane light`" in only_fault(settings)


def test_a_lease_that_nobody_takes_up_is_named(at_work: Settings, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        claimed(session, make_job(session).id)
        session.execute(text("UPDATE jobs SET lease_until = now() - interval '30 seconds'"))
    assert examine(at_work).faults == []
    with sessions.begin() as session:
        session.execute(text("UPDATE jobs SET lease_until = now() - interval '2 minutes'"))
    assert only_fault(at_work).startswith("1 jobs lost their worker, and nobody queues them again. Start the repair")


def test_a_database_of_another_version_or_none_is_named(settings: Settings, engine: Engine) -> None:
    with another_place(settings, engine) as place:
        assert only_fault(place).startswith("The database has no schema, and this version needs")
        upgrade(place.database_url, "0003")
        assert "has the schema 0003" in only_fault(place)
        with sessions_of(place) as sessions, sessions.begin() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert only_fault(place).startswith("The database has the schema 9999 of a newer version")
    gone = settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@/x?host=/nowhere"})
    assert only_fault(gone).startswith("The database does not answer: ")


def test_a_store_that_takes_nothing_is_named(at_work: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    broken = at_work.model_copy(update={"artifacts_url": (tmp_path / "file" / "below").as_uri()})
    assert "store" in only_fault(broken)


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (-3600.0, "s ahead of this machine's"),
        (3600.0, "s behind this machine's"),
        (-50.0, "s ahead of this machine's"),
    ],
)
def test_a_clock_that_is_far_off_is_named_with_the_side_that_it_is_on(
    at_work: Settings, monkeypatch: pytest.MonkeyPatch, ours: float, said: str
) -> None:
    class Ours(datetime):
        """This machine's clock, so many seconds off."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=ours)

    monkeypatch.setattr(examining, "datetime", Ours)
    findings = examine(at_work)
    seconds, rest = findings.found["clock"].split(" ", 1)
    assert float(seconds) == pytest.approx(abs(ours), abs=5.0)
    assert rest == said
    fault = f"The database's clock is {findings.found['clock']}. Set both by NTP."
    assert findings.faults == ([fault] if abs(ours) > MOST_APART_SECONDS else [])


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (0.0, "as this machine's"),
        (0.04, "as this machine's"),
        (-0.04, "as this machine's"),
        (0.06, "0.1 s ahead of this machine's"),
        (-61.26, "61.3 s behind this machine's"),
    ],
)
def test_how_clocks_differ_is_said_to_a_tenth_of_a_second(apart: float, said: str) -> None:
    assert _clock(apart) == said
