"""A list of many rows takes no more queries than one of a few."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from store.db.registry import register
from store.states import State
from tests.api.records import Records
from tests.api.web import TestClient


@contextmanager
def queries(records: Records) -> Iterator[list[str]]:
    said: list[str] = []

    def hear(*about: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        said.append(about[2])

    engine = records.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def fill(records: Records, *names: str) -> None:
    """Of each name a dataset, a version, a job that waits and one that is at work."""
    for name in names:
        dataset = records.dataset(name)
        run = records.served(dataset)
        with records.sessions.begin() as session:
            register(session, run.id)
        records.run(dataset)
        records.move(records.run(dataset)[1], State.RUNNING)


def count(client: TestClient, records: Records, path: str) -> tuple[int, int]:
    """Queries, and rows that they brought."""
    client.get(path)
    with queries(records) as said:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return len(said), len(answer.json()["items"])


@pytest.mark.parametrize("path", ["/runs", "/jobs", "/jobs?state=queued", "/datasets", "/models"])
def test_more_rows_take_no_more_queries(client: TestClient, records: Records, path: str) -> None:
    fill(records, "first", "second")
    few, rows = count(client, records, path)
    fill(records, "third", "fourth", "fifth")
    many, more_rows = count(client, records, path)
    assert more_rows > rows
    assert many == few


def test_more_runs_beside_each_other_take_no_more_queries(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    ids = [str(records.finished(dataset).id) for _ in range(4)]
    asked = []
    for some in (ids[:2], ids):
        with queries(records) as said:
            assert client.get(f"/runs/compare?runs={','.join(some)}").status_code == 200
        asked.append(len(said))
    assert asked[0] == asked[1]


def test_what_is_read_of_a_reading_is_not_all_of_its_photos(client: TestClient, records: Records) -> None:
    run = records.finished()
    for path in ("confusion", "top-losses", "items", "figures/confusion", "figures/reliability", "predictions"):
        with queries(records) as said:
            assert client.get(f"/runs/{run.id}/{path}").status_code == 200
        assert not [one for one in said if "interpretations.items," in one], path
