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
    assert client.put("/models/aliases/best", json={"version": two}).json() == {"alias": "best", "version": two}
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
