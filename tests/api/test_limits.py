"""What a key may have queued and stored, and what it is told of it."""

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from store.access import Scope
from store.db.access_keys import create_key
from store.db.jobs import change_state, claim, save_progress
from store.db.models import Dataset, Job
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.jobs.test_search import SEARCH
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

TRAIN = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "epochs": 1, "batch_size": 4}}
TUS = {"Tus-Resumable": "1.0.0"}
MANY = 10**9


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def served(held: ExitStack, settings: Settings, **changes: int) -> TestClient:
    app = create_app(settings.model_copy(update=changes), load=FakeClassifier.load)
    return held.enter_context(TestClient(app, base_url="http://localhost", raise_server_exceptions=False))


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(4):
            file.writestr(zipfile.ZipInfo(f"pug_{number}.jpg"), jpeg())
    return out.getvalue()


def of_each_kind(run: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """A request that queues a job of each kind."""
    bodies: list[dict[str, Any]] = [
        TRAIN,
        {"kind": "lr_find", "dataset": "pets", "config": {"arch": "resnet18", "batch_size": 4}},
        {"kind": "forecast", "of": TRAIN},
        {"kind": "interpret", "run": run},
        {"kind": "predict", "dataset": "pets"},
        SEARCH,
    ]
    photos = {"archive": ("photos.zip", archive())}
    return {str(body["kind"]): ("/jobs", {"json": body}) for body in bodies} | {
        "archive": ("/jobs/archives", {"files": photos}),
        "import": ("/datasets", {"files": photos, "data": {"name": "more"}}),
        "builtin": ("/datasets/builtin", {"json": {"name": "sample", "builtin": "sample"}}),
    }


def test_no_kind_of_job_is_past_what_an_owner_may_have(held: ExitStack, settings: Settings, records: Records) -> None:
    run = records.served(records.dataset())
    client = served(held, settings, max_key_jobs=1)
    assert client.post("/models", json={"run": run.id, "alias": "production"}).status_code == 201
    waiting = client.post("/jobs", json=TRAIN, headers={"Idempotency-Key": "again"})
    assert waiting.status_code == 202
    for kind, (path, sent) in of_each_kind(run.id).items():
        answer = client.post(path, **sent)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs"), (kind, answer.text)
    told = answer.json()
    assert told["detail"] == "local has 1 jobs that wait and 0 that run, and may have 1"
    assert "PEDIGREE_MAX_KEY_JOBS" in told["hint"]
    assert told["request"]["path"] == "/jobs?owner=local&state=queued"
    assert answer.headers["retry-after"] == "60"
    assert len(client.get("/jobs").json()["items"]) == 2, "nothing of what was refused is on record"
    again = client.post("/jobs", json=TRAIN, headers={"Idempotency-Key": "again"})
    assert again.json()["id"] == waiting.json()["id"], "what was accepted before is no new job"
    assert client.post("/jobs?dry_run=true", json=TRAIN).status_code == 200
    assert client.post(f"/jobs/{waiting.json()['id']}/cancel").status_code == 202
    for kind, (path, sent) in of_each_kind(run.id).items():
        answer = client.post(path, **sent)
        assert answer.status_code == 202, (kind, answer.text)
        refused = client.post(f"/jobs/{waiting.json()['id']}/resume")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
        client.post(f"/jobs/{answer.json()['id']}/cancel")
    assert client.post(f"/jobs/{waiting.json()['id']}/resume").status_code == 202


def test_of_many_at_once_no_more_are_accepted_than_may_be(
    held: ExitStack, settings: Settings, records: Records
) -> None:
    records.dataset()
    clients = [served(held, settings, max_key_jobs=3) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: clients[n % 2].post("/jobs", json=TRAIN).status_code, range(8)))
    assert sorted(answers) == [202] * 3 + [429] * 5


def test_keys_have_jobs_of_their_own_and_are_told_when_one_ends(
    held: ExitStack, settings: Settings, records: Records, sessions: sessionmaker[Session]
) -> None:
    records.dataset()
    with sessions.begin() as session:
        shown = {
            name: {"authorization": f"Bearer {create_key(session, name=name, scope=Scope.TRAIN)[1]}"}
            for name in ("alice", "bob")
        }
    client = served(held, settings, max_key_jobs=1)
    alices = client.post("/jobs", json=TRAIN, headers=shown["alice"]).json()
    assert alices["owner"] == "alice"
    with sessions.begin() as session:
        assert claim(session, alices["id"], worker="w", lease_seconds=60)
        save_progress(session, alices["id"], 1, {"stage": "train", "eta_seconds": 123.4})
    refused = client.post("/jobs", json=TRAIN, headers=shown["alice"])
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "123")
    bobs = client.post("/jobs", json=TRAIN, headers=shown["bob"]).json()
    for owner, job in (("alice", alices), ("bob", bobs), ("local", None)):
        found = client.get(f"/jobs?owner={owner}", headers=shown["bob"]).json()["items"]
        assert [one["id"] for one in found] == ([] if job is None else [job["id"]])
    limits = client.get("/limits", headers=shown["alice"]).json()
    assert limits["jobs"] == {"most": 1, "queued": 0, "running": 1}
    with sessions.begin() as session:
        change_state(session, alices["id"], State.SUCCEEDED)
    assert client.post("/jobs", json=TRAIN, headers=shown["alice"]).status_code == 202


def test_bytes_beyond_what_an_owner_may_store_are_refused_before_they_are_stored(
    held: ExitStack, settings: Settings, records: Records, sessions: sessionmaker[Session]
) -> None:
    large = records.dataset("large")
    with sessions.begin() as session:
        session.execute(update(Dataset).where(Dataset.id == large.id).values(bytes=MANY))
    most = MANY + len(archive()) + 10
    client = served(held, settings, max_key_bytes=most)
    begun = client.post("/uploads", headers={**TUS, "Upload-Length": "100"})
    assert begun.status_code == 201
    photos = {"archive": ("photos.zip", archive())}
    refused = client.post("/datasets", files=photos, data={"name": "more"})
    told = refused.json()
    assert (refused.status_code, told["code"]) == (413, "too_much_stored")
    taken = f"the data sets of local take {MANY} bytes and their uploads 100"
    assert told["detail"] == f"{taken}, and with {len(archive())} more they are over {most}"
    assert f"large takes most, {MANY} bytes" in told["hint"]
    assert "PEDIGREE_MAX_KEY_BYTES" in told["hint"]
    assert list(records.artifacts.keys_below("uploads/")) == []
    assert client.post("/uploads", headers={**TUS, "Upload-Length": str(most)}).json()["code"] == "too_much_stored"
    run = records.served(records.dataset())
    assert client.post("/models", json={"run": run.id, "alias": "production"}).status_code == 201
    assert client.post("/jobs/archives", files=photos).json()["code"] == "too_much_stored"
    assert client.get("/limits").json()["bytes"] == {"most": most, "datasets": MANY, "uploads": 100}
    assert client.delete(begun.headers["location"], headers=TUS).status_code == 204
    queued = client.post("/datasets", files=photos, data={"name": "more"})
    assert queued.status_code == 202, queued.text
    assert client.get("/limits").json()["bytes"]["uploads"] == len(archive()), "it waits for its job"
    assert client.post("/datasets", files=photos, data={"name": "more"}).status_code == 413
    client.post(f"/jobs/{queued.json()['id']}/cancel")
    assert client.get("/limits").json()["bytes"]["uploads"] == 0


def test_an_upload_that_becomes_an_import_is_counted_once(held: ExitStack, settings: Settings) -> None:
    sent = archive()
    client = served(held, settings, max_key_bytes=len(sent) + 10)
    place = client.post("/uploads", headers={**TUS, "Upload-Length": str(len(sent))}).headers["location"]
    told = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    assert client.patch(place, content=sent, headers=told).status_code == 204
    upload = {"upload": (None, place.rpartition("/")[2]), "name": (None, "pets")}
    assert client.post("/datasets", files=upload).status_code == 202
    assert client.get("/limits").json()["bytes"]["uploads"] == len(sent)


def test_each_revision_counts_once_and_a_name_of_another_owner_does_not(
    client: TestClient, records: Records, sessions: sessionmaker[Session]
) -> None:
    first, same, others = (records.dataset(name) for name in ("first", "same", "others"))
    with sessions.begin() as session:
        session.execute(update(Dataset).values(bytes=1000, revision=first.revision))
        session.execute(update(Dataset).where(Dataset.id == others.id).values(owner="bob", revision="r2"))
        session.execute(update(Job).values(owner="bob"))
    assert same.id != first.id
    assert client.get("/limits").json()["bytes"]["datasets"] == 1000
