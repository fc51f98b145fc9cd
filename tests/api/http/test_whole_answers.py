"""What has not changed is not sent again, and what is large is sent packed."""

from pathlib import Path

import pytest

from tests.api.records import Records
from tests.api.web import TestClient


def test_a_table_that_has_not_changed_is_not_sent_again(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    first = client.get("/runs")
    again = client.get("/runs", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert "content-security-policy" in again.headers
    records.run(pets)
    changed = client.get("/runs", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert len(changed.json()["items"]) == 1


@pytest.mark.parametrize("known", ['"another", {}', "{}", "*"])
def test_the_tag_may_be_one_of_several(client: TestClient, known: str) -> None:
    tag = client.get("/datasets").headers["etag"]
    assert client.get("/datasets", headers={"If-None-Match": known.format(tag)}).status_code == 304
    assert client.get("/datasets", headers={"If-None-Match": known.format(tag.removeprefix("W/"))}).status_code == 304


def test_errors_and_changes_have_no_tag(client: TestClient, records: Records) -> None:
    records.dataset()
    assert "etag" not in client.get("/runs/7").headers
    assert "etag" not in client.post("/jobs", json={"kind": "train", "dataset": "pets"}).headers


def test_a_head_has_the_tag_and_no_body(client: TestClient) -> None:
    assert client.head("/datasets").headers["etag"] == client.get("/datasets").headers["etag"]


def test_what_is_large_is_sent_packed_to_who_takes_that(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    for _ in range(30):
        records.run(pets)
    packed = client.get("/runs", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/runs", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    again = client.get("/runs", headers={"If-None-Match": packed.headers["etag"]})
    assert again.status_code == 304


def test_what_is_small_or_packed_already_is_sent_as_it_is(client: TestClient, records: Records) -> None:
    run = records.finished(records.dataset())
    records.artifact(run, "model.safetensors", bytes(20_000))
    for path in ("/healthz", f"/runs/{run.id}/figures/loss.png", f"/runs/{run.id}/artifacts/model.safetensors"):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.headers.get("content-encoding")) == (200, None), path


def test_a_photo_that_is_there_already_is_not_sent_again(client: TestClient, records: Records, tmp_path: Path) -> None:
    run = records.finished(records.dataset_with_photos(tmp_path / "photos"))
    for path in ("/datasets/photos/items/0/image", f"/runs/{run.id}/items/0/image?dataset=photos"):
        photo = client.get(path)
        assert (photo.status_code, photo.headers["content-type"]) == (200, "image/jpeg"), photo.text
        again = client.get(path, headers={"If-None-Match": photo.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/ui/assets/plotly.min.js", "/docs/swagger-ui-bundle.js"])
def test_scripts_of_megabytes_are_packed_once(client: TestClient, path: str) -> None:
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2.5
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
