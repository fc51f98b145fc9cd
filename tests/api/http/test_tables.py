"""Whatever has rows is also a table for a spreadsheet."""

import csv
import io

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.app import ROUTERS
from api.http.tables import TableRoute, _table, has_rows
from tests.api.records import Records
from tests.api.web import TestClient

TABLE = {"Accept": "text/csv"}


def _as_table_of(content: list[dict[str, object]]) -> list[dict[str, str]]:
    return rows(bytes(_table(content, None, {}).body).decode())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_list_is_a_table_with_dotted_names_and_its_next_page(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    for _ in range(3):
        records.run(pets)
    answer = client.get("/jobs?limit=2&kind=train", headers=TABLE)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    listed = client.get("/jobs?limit=2&kind=train").json()
    table = rows(answer.text)
    assert [(row["id"], row["state"]) for row in table] == [(str(job["id"]), job["state"]) for job in listed["items"]]
    assert table[0]["waiting.reason"] == listed["items"][0]["waiting"]["reason"]
    address, _, relation = answer.headers["link"].partition("; ")
    assert relation == 'rel="next"'
    rest = client.get(address.strip("<>"), headers=TABLE)
    assert len(rows(rest.text)) == 1
    assert "link" not in rest.headers


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("/datasets", {"name", "items", "breeds"}),
        ("/models", {"version", "run", "aliases"}),
        ("/runs", {"id", "error_rate", "tags"}),
        ("/runs/{}/metrics", {"phase", "epoch", "valid_loss"}),
        ("/runs/{}/top-losses", {"item", "actual", "predicted", "loss"}),
        ("/runs/{}/confusion", {"breed", "precision", "recall"}),
        ("/runs/{}/items", {"item", "actual", "predicted", "image"}),
        ("/architectures", {"name", "parameters"}),
    ],
)
def test_every_list_and_table_has_the_columns_of_its_fields(
    client: TestClient, records: Records, path: str, columns: set[str]
) -> None:
    run = records.finished(records.dataset(), epochs=1)
    client.post("/models", json={"run": records.served().id})
    answer = client.get(path.format(run.id), headers=TABLE)
    assert answer.status_code == 200
    table = rows(answer.text)
    assert table
    assert columns <= set(table[0])


def test_whatever_answers_with_rows_is_a_table_and_says_so(app: FastAPI) -> None:
    listing = [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and has_rows(route.response_model)
    ]
    assert len(listing) > 20
    document = app.openapi()["paths"]
    for route in listing:
        assert isinstance(route, TableRoute), route.path
        kinds = set(document[route.path]["get"]["responses"]["200"]["content"])
        assert kinds == {"application/json", "text/csv"}, route.path


def test_what_is_nothing_in_one_row_has_the_columns_of_the_others() -> None:
    answer = _as_table_of([{"id": 1, "last": None}, {"id": 2, "last": {"state": "sent", "at": {"day": 3}}}])
    assert answer == [
        {"id": "1", "last.state": "", "last.at.day": ""},
        {"id": "2", "last.state": "sent", "last.at.day": "3"},
    ]


def test_no_value_is_left_out_where_others_have_parts() -> None:
    answer = _as_table_of([{"space": [0.1, 0.2]}, {"space": {"low": 1}}])
    assert answer == [{"space": "0.1 0.2", "space.low": ""}, {"space": "", "space.low": "1"}]
    assert _as_table_of([{"before": None}, {"before": {"a": {"b": 1}}}]) == [{"before.a.b": ""}, {"before.a.b": "1"}]


def test_who_keeps_an_answer_is_told_that_it_goes_by_what_is_accepted(client: TestClient, records: Records) -> None:
    records.dataset()
    for headers in (TABLE, {}):
        assert client.get("/datasets", headers=headers).headers["vary"].split(", ").count("Accept") == 1
    assert "Accept" not in client.get("/datasets/pets").headers.get("vary", "").split(", ")


def test_a_number_named_like_rows_is_none(app: FastAPI) -> None:
    assert "items" in app.openapi()["components"]["schemas"]["DatasetOut"]["properties"]
    assert set(app.openapi()["paths"]["/datasets/{name}"]["get"]["responses"]["200"]["content"]) == {"application/json"}


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/json, text/csv",
        "text/csvs",
        "text/csv;q=0",
        "text/csv;q=0.5, application/json",
        "",
    ],
)
def test_json_is_what_everyone_else_gets(client: TestClient, accept: str) -> None:
    assert client.get("/jobs", headers={"Accept": accept}).json() == {"items": [], "next_cursor": None}


def test_what_a_header_says_of_the_rows_is_said_of_the_table_too(client: TestClient, records: Records) -> None:
    run = records.finished(records.dataset())
    path = f"/runs/{run.id}/top-losses"
    said, table = client.get(path), client.get(path, headers=TABLE)
    about = {name for name in said.headers if name.startswith("pedigree-")}
    assert about
    assert {name: table.headers[name] for name in about} == {name: said.headers[name] for name in about}


def test_what_has_no_rows_and_what_went_wrong_stay_json(client: TestClient, records: Records) -> None:
    records.dataset()
    assert client.get("/datasets/pets", headers=TABLE).json()["name"] == "pets"
    wrong = client.get("/jobs?limit=0", headers=TABLE)
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
