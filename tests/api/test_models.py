from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.records import Records
from tests.api.web import TestClient


def test_a_run_is_registered_once_and_aliased(client: TestClient, records: Records) -> None:
    run = records.served()
    answer = client.post("/models", json={"run": run.id, "alias": "production"})
    assert answer.status_code == 201
    model = answer.json()
    assert (model["run"], model["aliases"], model["arch"]) == (run.id, ["production"], "resnet18")
    again = client.post("/models", json={"run": run.id})
    assert again.json()["version"] == model["version"]
    assert client.get("/models").json()["items"] == [model]


def test_registering_again_is_200_moves_the_alias_and_takes_no_number(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    first, second = records.served(dataset), records.served(dataset)
    answers = [client.post("/models", json={"run": first.id, "alias": "staging"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    newer = client.post("/models", json={"run": second.id, "alias": "staging"})
    assert (newer.status_code, newer.json()["version"]) == (201, answers[0].json()["version"] + 1)
    back = client.post("/models", json={"run": first.id, "alias": "staging"})
    assert (back.status_code, back.json()["aliases"]) == (200, ["staging"])
    named = client.get("/openapi.json").json()["paths"]["/models"]["post"]["responses"]
    for status in ("200", "201"):
        assert named[status]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ModelOut"}


def test_however_many_register_at_once_the_numbers_have_no_gap(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    runs = [records.finished(dataset).id for _ in range(4)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda run: client.post("/models", json={"run": run}), runs * 5))
    assert sorted(answer.status_code for answer in answers) == [200] * 16 + [201] * 4
    versions = {answer.json()["run"]: answer.json()["version"] for answer in answers}
    assert all(answer.json()["version"] == versions[answer.json()["run"]] for answer in answers)
    assert sorted(versions.values()) == [1, 2, 3, 4]
    alone = records.finished(dataset).id
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.post("/models", json={"run": alone}), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert {answer.json()["version"] for answer in answers} == {5}


def test_only_a_finished_training_can_be_registered(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    waiting, _ = records.run(dataset)
    search, _ = records.run(dataset, kind="lr_find")
    assert client.post("/models", json={"run": waiting.id}).json()["code"] == "not_ready"
    assert client.post("/models", json={"run": search.id}).json()["code"] == "wrong_kind"
    assert client.post("/models", json={"run": 99}).status_code == 404


def test_an_alias_moves_and_goes(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    first, second = records.served(dataset), records.served(dataset)
    one = client.post("/models", json={"run": first.id, "alias": "best"}).json()["version"]
    two = client.post("/models", json={"run": second.id}).json()["version"]
    moved = client.put("/models/aliases/best", json={"version": two}).json()
    assert moved == {"alias": "best", "version": two, "canary": None, "before": one}
    assert client.get("/models/aliases/best").json() == moved
    by_version = {model["version"]: model["aliases"] for model in client.get("/models").json()["items"]}
    assert by_version == {one: [], two: ["best"]}
    assert client.delete("/models/aliases/best").status_code == 204
    assert client.delete("/models/aliases/best").status_code == 404


@pytest.mark.parametrize("alias", ["1x", "a%20b", "a%00b", "x" * 65])
def test_a_bad_alias_is_refused(client: TestClient, alias: str) -> None:
    assert client.put(f"/models/aliases/{alias}", json={"version": 1}).status_code == 422
    assert client.delete(f"/models/aliases/{alias}").status_code == 422


def test_an_alias_needs_a_version(client: TestClient) -> None:
    assert client.put("/models/aliases/best", json={"version": 9}).status_code == 404
    assert client.put("/models/aliases/best", json={"version": 2**63}).status_code == 422
