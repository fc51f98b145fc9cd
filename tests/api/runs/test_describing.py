from typing import Any

import pytest

from tests.api.records import Records
from tests.api.web import TestClient


def parts(run: dict[str, Any]) -> list[Any]:
    return [run[part] for part in ("name", "tags", "note")]


def test_a_run_is_named_tagged_and_noted_part_by_part(client: TestClient, records: Records) -> None:
    run = records.finished()
    path = f"/runs/{run.id}"
    assert parts(client.get(path).json()) == ["a run", [], None]
    changed = client.patch(path, json={"tags": [" Good", "first try", "GOOD"], "note": " as in the book\n"})
    assert changed.status_code == 200
    assert parts(changed.json()) == ["a run", ["first-try", "good"], "as in the book"]
    assert changed.json() == client.get(path).json()
    assert parts(client.patch(path, json={"name": "  baseline "}).json())[0] == "baseline"
    assert parts(client.patch(path, json={}).json()) == ["baseline", ["first-try", "good"], "as in the book"]
    assert parts(client.patch(path, json={"name": None, "tags": [], "note": None}).json()) == [None, [], None]
    (listed,) = client.get("/runs").json()["items"]
    assert parts(listed) == [None, [], None]


@pytest.mark.parametrize(
    ("change", "field", "hint"),
    [
        ({"name": ""}, "body.name", None),
        ({"name": "x" * 201}, "body.name", None),
        ({"name": "a\x00b"}, "body.name", "Leave that character out."),
        ({"note": "x" * 2001}, "body.note", None),
        ({"note": "  "}, "body.note", None),
        ({"tags": None}, "body.tags", None),
        ({"tags": ["a"] * 21}, "body.tags", None),
        ({"tags": ["x" * 33]}, "body.tags.0", "Give a shorter one, and say the rest in the note."),
        ({"tags": ["ok", "no, comma"]}, "body.tags.1", "Type no-comma, for example."),
        ({"tags": ["#"]}, "body.tags.0", "Give a word."),
        ({"tags": [" "]}, "body.tags.0", "Give a word."),
        ({"tags": [1]}, "body.tags.0", None),
        ({"title": "x"}, "body.title", None),
    ],
)
def test_what_cannot_be_written_on_a_run_is_refused_and_nothing_changes(
    client: TestClient, records: Records, change: dict[str, Any], field: str, hint: str | None
) -> None:
    run = records.finished()
    answer = client.patch(f"/runs/{run.id}", json={"name": "other", **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["hint"] == hint or hint is None
    assert parts(client.get(f"/runs/{run.id}").json()) == ["a run", [], None]


def test_a_run_that_is_not_there_cannot_be_described(client: TestClient) -> None:
    answer = client.patch("/runs/7", json={"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
