"""An import that is asked for again with its Idempotency-Key."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from store.artifacts import ArtifactStore
from store.keys import UPLOADS
from tests.api.datasets.test_datasets import archive
from tests.api.datasets.test_uploads_tus import whole
from tests.api.records import Records
from tests.api.web import TestClient

ARCHIVE = archive()


def post(client: TestClient, key: str, archive: bytes = ARCHIVE, labels: bytes | None = None, **fields: str) -> Any:  # noqa: ANN401 - a response
    files = {"archive": ("pets.zip", archive)} | ({} if labels is None else {"labels": ("labels.csv", labels)})
    return client.post("/datasets", data={"name": "mine", **fields}, files=files, headers={"Idempotency-Key": key})


def test_the_same_key_and_form_is_the_same_import(
    client: TestClient, records: Records, artifacts: ArtifactStore
) -> None:
    first = post(client, "a-key", by_folder="true")
    # Written differently, but the same request: a default is spelt out.
    again = post(client, "a-key", by_folder="1", merge_labels="false")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"] == f"/jobs/{first.json()['id']}"
    others = [
        post(client, "a-key", by_folder="true", archive=b"others"),
        post(client, "a-key"),
        post(client, "a-key", by_folder="true", labels=b"Birman_1.jpg,pug\n"),
        client.post("/jobs", json={"kind": "train", "dataset": "mine"}, headers={"Idempotency-Key": "a-key"}),
    ]
    assert {(other.status_code, other.json()["code"]) for other in others} == {(409, "idempotency_conflict")}
    assert post(client, "another-key", by_folder="true").json()["id"] == first.json()["id"] + 1
    assert len(artifacts.keys_below(UPLOADS)) == 2
    assert records is not None


def test_an_upload_that_has_become_the_import_is_found_again(client: TestClient, records: Records) -> None:
    upload = whole(client, ARCHIVE).rpartition("/")[2]
    form, key = {"name": (None, "mine"), "upload": (None, upload)}, {"Idempotency-Key": "a-key"}
    first, again = (client.post("/datasets", files=form, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200), again.text
    assert again.json() == first.json()
    assert client.post("/datasets", files=form).status_code == 409
    assert records is not None


def test_of_equal_imports_at_once_one_is_queued_and_kept(
    client: TestClient, records: Records, artifacts: ArtifactStore
) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: post(client, "raced"), range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(artifacts.keys_below(UPLOADS)) == 1
    assert records is not None


def test_a_key_that_is_none_is_told_in_words(client: TestClient) -> None:
    answer = post(client, "a b")
    assert (answer.status_code, answer.json()["hint"]) == (422, "Give one as a UUID is.")


def test_of_different_imports_at_once_with_one_key_one_is_kept(
    client: TestClient, records: Records, artifacts: ArtifactStore
) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda n: post(client, "raced", labels=b"Birman_1.jpg,pug\n" * n), range(1, 4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
    assert len(artifacts.keys_below(UPLOADS)) == 2
    assert records is not None
