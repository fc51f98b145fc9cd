"""What to label next, of photos that were uploaded: chosen, looked at, and turned into a dataset with their labels."""

import json
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store import artifacts as artifact_store
from store.db.jobs import create_job
from store.db.models import Job
from store.states import State
from tests.api.datasets.test_uploads_tus import TUS, archive, whole
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

Sessions = sessionmaker[Session]


def answered(records: Records, *lines: str, **about: Any) -> int:  # noqa: ANN401 - a payload
    """A predict job that has left these answers."""
    stored = records.artifacts.put_bytes("jobs/1-1/predictions.jsonl", "\n".join(lines).encode())
    file = {"key": stored.key, "sha256": stored.sha256, "bytes": stored.bytes}
    with records.sessions.begin() as session:
        payload = {"answers": {"predictions.jsonl": file}, **about}
        return create_job(session, kind="predict", payload=payload, max_attempts=1, state=State.SUCCEEDED).id


def line(path: str, birman: float) -> str:
    return json.dumps({"path": path, "probabilities": {"Birman": birman, "pug": 1 - birman}})


def test_photos_of_an_upload_are_predicted_looked_at_and_become_a_dataset(
    client: TestClient, records: Records, sessions: Sessions
) -> None:
    assert client.post("/models", json={"run": records.served().id, "alias": "production"}).is_success
    place = whole(client, archive("a b.jpg", "deep/b.jpg", "notes.txt"))
    upload = place.rsplit("/", 1)[-1]
    asked = client.post("/jobs/archives", files={"upload": (None, upload)})
    assert asked.status_code == 202, asked.text
    with sessions.begin() as session:
        payload = session.get_one(Job, asked.json()["id"]).payload
    assert payload["from_upload"] == upload
    assert records.artifacts.exists(payload["upload"])
    job = answered(records, line("a b.jpg", 0.9), line("deep/b.jpg", 0.51), from_upload=upload)
    found = client.get(f"/jobs/{job}/label-next").json()
    assert (found["upload"], found["dataset"], found["vocab"]) == (upload, None, ["Birman", "pug"])
    assert [(one["path"], one["label"], one["item"]) for one in found["items"]] == [
        ("deep/b.jpg", None, None),
        ("a b.jpg", None, None),
    ]
    for one in found["items"]:
        photo = client.get(one["image"])
        assert (photo.status_code, photo.headers["content-type"], photo.content) == (200, "image/jpeg", jpeg())
        assert "immutable" in photo.headers["cache-control"]
    assert client.get(f"{place}/photo", params={"path": "none.jpg"}).status_code == 404
    labels = 'filename,label\n"a b.jpg","pug"\n"deep/b.jpg","Birman"\n'
    form = {"name": "mine", "upload": upload, "keep_upload": "true"}
    made = client.post("/datasets", data=form, files={"labels": ("labels.csv", labels)})
    assert made.status_code == 202, made.text
    assert client.get(place).json()["job"] is None
    more = {**form, "add": "true"}
    lists = {"labels": ("labels.csv", labels)}
    assert client.post("/datasets", data=more, files=lists).status_code == 404
    added = client.post("/datasets", data={**more, "name": records.dataset("there").name}, files=lists)
    with sessions.begin() as session:
        assert session.get_one(Job, added.json()["id"]).payload["source"]["add"] is True
    assert client.delete(place, headers=TUS).status_code == 204
    after = client.get(f"/jobs/{job}/label-next").json()
    assert (after["upload"], [one["image"] for one in after["items"]]) == (None, [None, None])


@pytest.mark.parametrize(
    ("form", "status"),
    [({}, 400), ({"upload": "0" * 32}, 404), ({"upload": "../../etc"}, 404), ({"other": "x", "upload": "0" * 32}, 400)],
)
def test_an_upload_that_cannot_be_is_refused(
    client: TestClient, records: Records, form: dict[str, str], status: int
) -> None:
    assert client.post("/models", json={"run": records.served().id, "alias": "production"}).is_success
    files = {name: (None, value) for name, value in form.items()} or {"model": (None, "production")}
    assert client.post("/jobs/archives", files=files).status_code == status


def test_half_an_upload_is_not_predicted_and_shows_no_photo(client: TestClient, records: Records) -> None:
    assert client.post("/models", json={"run": records.served().id, "alias": "production"}).is_success
    begun = client.post("/uploads", headers={**TUS, "Upload-Length": "100"}).json()["id"]
    assert client.post("/jobs/archives", files={"upload": (None, begun)}).status_code == 409
    assert client.get(f"/uploads/{begun}/photo", params={"path": "a.jpg"}).status_code == 409


def test_what_is_no_archive_or_no_photo_is_told(client: TestClient) -> None:
    text = whole(client, b"no archive at all")
    answer = client.get(f"{text}/photo", params={"path": "a.jpg"})
    assert (answer.status_code, answer.json()["hint"]) == (400, "Send a .zip or a .tar.gz.")


def test_answers_are_read_a_piece_at_a_time(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_store, "CHUNK_BYTES", 50)
    monkeypatch.setattr(type(records.artifacts), "get_bytes", None)
    # The name of one is no text: it can be looked at by nobody.
    lines = [line(f"{number}.jpg", 0.5 + number / 40) for number in range(20)] + [line("\udce9.jpg", 0.5)]
    job = answered(records, *lines)
    found = client.get(f"/jobs/{job}/label-next", params={"limit": 2}).json()
    assert ([one["path"] for one in found["items"]], found["of"]) == (["0.jpg", "1.jpg"], 20)


def test_a_line_that_is_too_long_is_told(client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.datasets.label_next.MOST_LINE_BYTES", 30)
    monkeypatch.setattr(artifact_store, "CHUNK_BYTES", 50)
    job = answered(records, line("a.jpg", 0.5))
    answer = client.get(f"/jobs/{job}/label-next")
    assert "a line has more than 30 bytes" in answer.json()["detail"]
