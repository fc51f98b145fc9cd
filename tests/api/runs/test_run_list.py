import random
from typing import Any

import pytest
from sqlalchemy import event, update

from api.runs.listing import page_of_runs
from ml.reading.chance import Chance
from store.db.models import Job, Run
from store.db.records import record_epoch
from store.db.run_list import RunQuery
from store.states import State
from tests.api.records import Records
from tests.api.web import TestClient

EPOCH: dict[str, Any] = {"train_loss": 1.0, "valid_loss": 1.0, "seconds": 1.0, "images_per_second": 9.0}
SORTS = ["created", "error_rate", "arch", "duration"]


def ids(client: TestClient, query: str = "") -> list[int]:
    answer = client.get(f"/runs?{query}")
    assert answer.status_code == 200, answer.text
    return [run["id"] for run in answer.json()["items"]]


def many_runs(records: Records, count: int = 17) -> None:
    """Runs of few different values, so that many share one, and some that lack them."""
    draw = random.Random(3)  # noqa: S311 - no secret
    dataset = records.dataset()
    for number in range(count):
        run, job = records.run(dataset, arch=draw.choice(["resnet18", "resnet34"]))
        with records.sessions.begin() as session:
            rate = draw.choice([None, 0.1, 0.1 + 0.2, 0.5])
            session.execute(update(Run).where(Run.id == run.id).values(error_rate=rate))
        if number % 3:
            records.move(job, State.RUNNING, draw.choice([State.SUCCEEDED, State.FAILED]))
            if number % 2:
                with records.sessions.begin() as session:
                    session.execute(update(Job).where(Job.id == job.id).values(finished_at=Job.started_at))


def value_of(run: dict[str, Any], sort: str) -> Any:  # noqa: ANN401 - of the sort
    return run[{"created": "id", "duration": "seconds"}.get(sort, sort)]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        pytest.param(sort, order, marks=[] if (number + place) % 2 else [pytest.mark.thorough])
        for number, sort in enumerate(SORTS)
        for place, order in enumerate(["asc", "desc"])
    ],
)
def test_pages_of_any_size_hold_every_run_once_in_order(
    client: TestClient, records: Records, sort: str, order: str
) -> None:
    many_runs(records)
    whole = client.get(f"/runs?sort={sort}&order={order}&limit=200").json()["items"]
    values = [value_of(run, sort) for run in whole]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=order == "desc")
    assert values == known + [None] * (len(values) - len(known)), "what lacks a value comes last"
    assert sorted(run["id"] for run in whole) == list(range(1, 18))
    for limit in (1, 2, 5, 16, 17):
        found: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(f"/runs?sort={sort}&order={order}&limit={limit}{cursor and f'&cursor={cursor}'}").json()
            found += [run["id"] for run in page["items"]]
            cursor = page["next_cursor"]
        assert found == [run["id"] for run in whole]


def test_a_cursor_holds_while_runs_are_added_and_is_refused_in_another_order(
    client: TestClient, records: Records
) -> None:
    many_runs(records)
    whole = ids(client, "sort=error_rate&limit=200")
    first = client.get("/runs?sort=error_rate&limit=5").json()
    best = records.finished(records.dataset("others"), error_rate=0.01)
    rest = ids(client, f"sort=error_rate&limit=200&cursor={first['next_cursor']}")
    assert [run["id"] for run in first["items"]] + rest == whole
    assert ids(client, "sort=error_rate")[0] == best.id
    for other in ("sort=arch", "sort=duration", "sort=error_rate&order=desc", ""):
        answer = client.get(f"/runs?{other}&cursor={first['next_cursor']}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_runs_are_filtered_by_tags_and_error_rate(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    bad, good = (records.finished(dataset, error_rate=rate) for rate in (0.5, 0.1))
    records.run(dataset)
    client.patch(f"/runs/{good.id}", json={"tags": ["good", "baseline"]})
    client.patch(f"/runs/{bad.id}", json={"tags": ["baseline"]})
    assert ids(client, "tag=baseline") == [good.id, bad.id]
    assert ids(client, "tag=baseline&tag=Good") == [good.id]
    assert ids(client, "tag=base") == []
    assert ids(client, "error_below=0.5") == [good.id]
    assert ids(client, "error_below=1&sort=error_rate&order=desc") == [bad.id, good.id]
    assert ids(client, "tag=baseline&error_below=0.2&state=succeeded&q=good") == [good.id]


def test_runs_are_searched_by_all_that_people_call_them(client: TestClient, records: Records) -> None:
    one, _ = records.run(records.dataset("cats"), arch="resnet34")
    two, _ = records.run(records.dataset("dogs"))
    client.patch(f"/runs/{one.id}", json={"name": "Baseline 100%", "tags": ["keep"], "note": "warm_up"})
    client.patch(f"/runs/{two.id}", json={"name": "second", "note": "warmXup, 1000"})
    assert ids(client, "q=baseline") == [one.id]
    assert ids(client, "q=keep") == [one.id]
    assert ids(client, "q=resnet34") == [one.id]
    assert ids(client, "q=dogs") == [two.id]
    assert ids(client, "q=warm") == [two.id, one.id]
    assert ids(client, "q=warm%20cats") == [one.id]
    # What a pattern would take for anything is itself here.
    assert ids(client, "q=warm_up") == [one.id]
    assert ids(client, "q=100%25") == [one.id]
    assert ids(client, "q=%5C") == []
    assert ids(client, f"q={two.id}&sort=created") == [two.id]
    assert ids(client, "q=%20%20") == [two.id, one.id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("q=" + "x" * 201, "query.q"),
        ("q=" + "a%20" * 9, "query.q"),
        ("q=%00", "query.q"),
        ("tag=a,b", "query.tag.0"),
        ("tag=" + "&tag=".join("abcdefghijklmnopqrstu"), "query.tag"),
        ("error_below=0", "query.error_below"),
        ("error_below=nan", "query.error_below"),
        ("error_below=2", "query.error_below"),
        ("order=up", "query.order"),
        ("sort=size", "query.sort"),
        ("limit=201", "query.limit"),
    ],
)
def test_a_filter_that_cannot_be_is_named(client: TestClient, query: str, field: str) -> None:
    answer = client.get(f"/runs?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_run_shows_its_curve_in_few_points_and_how_far_its_error_rate_may_be_off(
    client: TestClient, records: Records
) -> None:
    run, job = records.run(records.dataset())
    assert client.get(f"/runs/{run.id}").json()["spark"] == []
    records.move(job, State.RUNNING)
    with records.sessions.begin() as session:
        for epoch in range(60):
            record_epoch(session, run.id, phase=epoch // 50, epoch=epoch % 50, error_rate=1 - epoch / 60, **EPOCH)
        session.execute(update(Run).where(Run.id == run.id).values(plan={"valid_items": 677}))
    (listed,) = client.get("/runs").json()["items"]
    spark = listed["spark"]
    assert len(spark) == 24
    assert spark == sorted(spark, reverse=True)
    assert spark[-1] == pytest.approx(1 / 60)
    assert listed["error_rate_margin"] == pytest.approx(Chance(677).of_error(1 / 60))
    shown = client.get(f"/runs/{run.id}").json()
    assert [shown[name] for name in ("spark", "error_rate_margin")] == [spark, listed["error_rate_margin"]]


def test_a_short_run_shows_every_epoch(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    records.finished(dataset, error_rate=0.5)
    run, _ = records.run(dataset)
    with records.sessions.begin() as session:
        for epoch in range(24):
            record_epoch(session, run.id, phase=0, epoch=epoch, error_rate=epoch / 24, **EPOCH)
    second, first = client.get("/runs").json()["items"]
    assert second["spark"] == [epoch / 24 for epoch in range(24)]
    assert (first["spark"], first["error_rate_margin"]) == ([0.5], None)


def test_a_page_asks_the_database_as_often_for_many_runs_as_for_one(records: Records) -> None:
    many_runs(records)
    said: list[str] = []
    engine = records.sessions.kw["bind"]

    def hear(*about: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        said.append(about[2])

    event.listen(engine, "before_cursor_execute", hear)
    try:
        counts = []
        for limit in (1, 17):
            with records.sessions.begin() as session:
                assert len(page_of_runs(session, RunQuery(), None, limit).items) == limit
            counts.append(len(said))
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    assert counts == [3, 6]
