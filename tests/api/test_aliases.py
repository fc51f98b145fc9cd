import pytest
from fastapi import FastAPI

from store.db.aliases import set_alias
from tests.api.records import Records
from tests.api.serving.test_predict import GREEN, register, send
from tests.api.web import TestClient

ALIAS = "/models/aliases/production"


@pytest.fixture
def versions(client: TestClient, records: Records) -> list[int]:
    return [register(client, records, b"%d" % number) for number in range(3)]


def answering(client: TestClient, picture: bytes = GREEN) -> int:
    answer = send(client, picture)
    assert answer.status_code == 200, answer.text
    version: int = answer.json()["model"]["version"]
    return version


def test_rolling_back_is_one_call_and_the_answers_follow(client: TestClient, versions: list[int]) -> None:
    one, two, three = versions
    assert client.get(ALIAS).json()["before"] == two
    back = client.post(f"{ALIAS}/rollback")
    assert (back.status_code, back.json()) == (
        200,
        {"alias": "production", "version": two, "canary": None, "before": one},
    )
    assert answering(client) == two
    assert client.post(f"{ALIAS}/rollback").json()["before"] is None
    assert answering(client) == one
    refused = client.post(f"{ALIAS}/rollback")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_before")
    assert refused.json()["hint"]
    assert answering(client) == one
    moves = client.get(f"{ALIAS}/moves?limit=3").json()
    assert [(move["how"], move["version"]) for move in moves["items"]] == [
        ("rolled_back", one),
        ("rolled_back", two),
        ("pointed", three),
    ]
    rest = client.get(f"{ALIAS}/moves?cursor={moves['next_cursor']}").json()["items"]
    assert [move["version"] for move in rest] == [two, one]


def test_all_aliases_are_listed_by_name_with_what_they_point_at(client: TestClient, versions: list[int]) -> None:
    one, two, three = versions
    client.put("/models/aliases/shadow", json={"version": two})
    client.put("/models/aliases/best", json={"version": two, "canary": {"version": one, "share": 0.1}})
    first = client.get("/models/aliases?limit=2").json()
    assert first["items"] == [
        {"alias": "best", "version": two, "canary": {"version": one, "share": 0.1}, "before": None},
        {"alias": "production", "version": three, "canary": None, "before": two},
    ]
    rest = client.get(f"/models/aliases?limit=2&cursor={first['next_cursor']}").json()
    assert ([one["alias"] for one in rest["items"]], rest["next_cursor"]) == (["shadow"], None)
    refused = client.get("/models/aliases?cursor=9x")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


def test_a_way_back_to_a_model_that_is_gone_leaves_the_alias_where_it_was(
    client: TestClient, records: Records, app: FastAPI
) -> None:
    lost = client.post("/models", json={"run": records.finished().id}).json()["version"]
    with records.sessions.begin() as session:
        set_alias(session, "best", lost)
    there = register(client, records, b"there", alias="best")
    refused = client.post("/models/aliases/best/rollback")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_ready")
    assert client.get("/models/aliases/best").json()["version"] == there
    assert app.state.services.predictor.ready("best").version == there


def test_what_is_no_alias_is_404_and_an_alias_without_a_canary_409(client: TestClient, versions: list[int]) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/moves"),
        ("POST", "/rollback"),
        ("POST", "/canary/promote"),
        ("DELETE", "/canary"),
    ):
        assert client.request(method, f"/models/aliases/none{path}").status_code == 404
    assert versions
    for method, path in (("POST", "/canary/promote"), ("DELETE", "/canary")):
        refused = client.request(method, f"{ALIAS}{path}")
        assert (refused.status_code, refused.json()["code"]) == (409, "state_conflict")
        assert refused.json()["request"] == {"method": "GET", "path": ALIAS}


@pytest.mark.parametrize(
    ("canary", "status", "field"),
    [
        ({"version": 1, "share": 1.5}, 422, "body.canary.share"),
        ({"version": 1, "share": -0.1}, 422, "body.canary.share"),
        ({"version": 1, "share": "0.1"}, 422, "body.canary.share"),
        ({"version": 1}, 422, "body.canary.share"),
        ({"version": 3, "share": 0.1}, 400, "body.canary.version"),
        ({"version": 99, "share": 0.1}, 404, None),
    ],
)
def test_a_canary_that_cannot_be_is_refused(
    client: TestClient, versions: list[int], canary: dict[str, object], status: int, field: str | None
) -> None:
    refused = client.put(ALIAS, json={"version": versions[-1], "canary": canary})
    assert (refused.status_code, refused.json().get("field")) == (status, field), refused.text
    assert client.get(ALIAS).json()["canary"] is None
