"""The pictures of an interpretation by what they show and what they were taken for."""

import tracemalloc
from typing import Any

import pytest

from store.db.models import Run
from store.db.read_items import items_of
from store.db.records import record_interpretation
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

MANY = 7390


def read_on(records: Records, run: Run, dataset_id: int, items: list[dict[str, Any]]) -> None:
    with records.sessions.begin() as session:
        record_interpretation(
            session,
            run.id,
            dataset_id=dataset_id,
            job_id=1,
            vocab=VOCAB,
            matrix=[[0] * 3] * 3,
            items=items,
            valid_loss=1.0,
            error_rate=0.5,
            tta=False,
        )


def item(number: int, actual: str, predicted: str, loss: float) -> dict[str, Any]:
    return {
        "item": number,
        "path": f"{actual}_{number}.jpg",
        "actual": actual,
        "predicted": predicted,
        "loss": loss,
        "probability_predicted": 0.9,
        "probability_actual": 0.05,
    }


@pytest.fixture
def run(records: Records) -> Run:
    run = records.finished()
    rows = [
        item(0, "Birman", "Birman", 0.01),
        item(1, "Birman", "pug", 3.5),
        item(2, "Birman", "pug", float("inf")),
        item(3, "Birman", "Abyssinian", 1.25),
        item(4, "pug", "Birman", 3.5),
        item(5, "pug", "pug", float("nan")),
        item(6, "Birman", "pug", 3.5),
    ]
    read_on(records, run, run.dataset_id, rows)
    return run


@pytest.mark.parametrize(
    ("asked", "items"),
    [
        ({}, [2, 5, 1, 4, 6, 3, 0]),
        ({"actual": "Birman", "predicted": "pug"}, [2, 1, 6]),
        ({"actual": "Birman"}, [2, 1, 6, 3, 0]),
        ({"predicted": "Birman"}, [4, 0]),
        ({"actual": "Birman", "correct": "false"}, [2, 1, 6, 3]),
        ({"correct": "true"}, [5, 0]),
        ({"actual": "Abyssinian"}, []),
    ],
)
def test_they_are_found_the_worst_first_however_they_are_paged(
    client: TestClient, run: Run, asked: dict[str, str], items: list[int]
) -> None:
    for limit in (1, 2, 200):
        found: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = client.get(f"/runs/{run.id}/items", params={**asked, **cursor, "limit": limit}).json()
            assert len(page["items"]) <= limit
            found += [one["item"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == items


def test_each_says_what_the_top_losses_say(client: TestClient, run: Run) -> None:
    answer = client.get(f"/runs/{run.id}/items", params={"limit": 3})
    assert answer.json()["items"] == client.get(f"/runs/{run.id}/top-losses", params={"k": 3}).json()
    assert answer.headers["Pedigree-Side"] == "validation"


def test_another_dataset_is_named(client: TestClient, records: Records, run: Run) -> None:
    others = records.dataset("others")
    read_on(records, run, others.id, [item(8, "pug", "Birman", 2.0)])
    (found,) = client.get(f"/runs/{run.id}/items", params={"dataset": "others"}).json()["items"]
    assert (found["item"], found["image"]) == (8, f"/runs/{run.id}/items/8/image?dataset=others")


@pytest.mark.parametrize(
    ("asked", "status", "code", "field"),
    [
        ({"actual": "wolf"}, 400, "invalid_request", "query.actual"),
        ({"predicted": "'; DROP TABLE runs"}, 400, "invalid_request", "query.predicted"),
        ({"correct": "perhaps"}, 422, "invalid_request", "query.correct"),
        ({"cursor": "x"}, 400, "invalid_request", None),
        ({"limit": "1000"}, 422, "invalid_request", "query.limit"),
        ({"dataset": "nowhere"}, 404, "not_found", None),
    ],
)
def test_what_cannot_be_is_refused(
    client: TestClient, run: Run, asked: dict[str, str], status: int, code: str, field: str | None
) -> None:
    answer = client.get(f"/runs/{run.id}/items", params=asked)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("field")) == (status, code, field)


def test_a_page_of_many_is_no_more_in_memory_than_a_page(records: Records) -> None:
    run = records.finished()
    rows = [item(number, VOCAB[number % 3], VOCAB[number % 2], number / 7) for number in range(MANY)]
    read_on(records, run, run.dataset_id, rows)
    tracemalloc.start()
    with records.sessions.begin() as session:
        page = items_of(session, run.id, run.dataset_id, actual="pug", limit=50)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(page.items) == 50
    assert page.items[0]["item"] == max(number for number in range(MANY) if number % 3 == 2)
    assert most < 1 << 20
