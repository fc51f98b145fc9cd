"""Who changed what, and the id that follows a request."""

import csv
import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.http.changes import CHANGES_NOTHING, IN_FILES
from api.http.scopes import SCOPES
from store.access import Scope
from store.db.access_keys import create_key
from store.db.audit import forget_old_changes
from store.db.audit_table import AuditEntry
from store.db.models import Job
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

TRAIN = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "batch_size": 4}}


@pytest.fixture
def keyed(settings: Settings, sessions: sessionmaker[Session]) -> Iterator[TestClient]:
    """A client with an admin key called alice."""
    with sessions.begin() as session:
        _, key = create_key(session, name="alice", scope=Scope.ADMIN)
    app = create_app(settings, load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost", headers={"authorization": f"Bearer {key}"}) as client:
        yield client


def told(client: TestClient, **params: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a query's
    answer = client.get("/audit", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_change_is_told_with_who_what_from_to_when_and_where(keyed: TestClient, records: Records) -> None:
    records.dataset()
    begun = datetime.now(UTC) - timedelta(seconds=1)
    job = keyed.post("/jobs", json=TRAIN, headers={"x-request-id": "from-the-edge.1"}).json()
    keyed.post(f"/jobs/{job['id']}/cancel")
    keyed.post(f"/jobs/{job['id']}/resume")
    resumed, cancelled, made = told(keyed)
    assert made | {"id": 0, "changed_at": ""} == {
        "id": 0,
        "changed_at": "",
        "who": "alice",
        "key": 1,
        "operation": "POST /jobs",
        "target": f"/jobs/{job['id']}",
        "before": None,
        "after": {"job": job["id"], "kind": "train", "run": job["run"], "state": "queued"},
        "address": "testclient",
        "request_id": "from-the-edge.1",
    }
    assert begun < datetime.fromisoformat(made["changed_at"]) < datetime.now(UTC) + timedelta(seconds=60)
    assert (cancelled["before"], cancelled["after"]) == ({"state": "queued"}, {"state": "cancelled"})
    assert (resumed["before"], resumed["after"]) == ({"state": "cancelled"}, {"state": "queued"})
    assert resumed["operation"] == "POST /jobs/{job_id}/resume"


def test_models_aliases_runs_and_keys_are_told_from_what_to_what(client: TestClient, records: Records) -> None:
    first, second = records.served(), records.served(records.dataset("others"))
    client.patch(f"/runs/{first.id}", json={"name": "baseline", "tags": ["good"]})
    client.post("/models", json={"run": first.id, "alias": "production"})
    client.post("/models", json={"run": second.id})
    client.put("/models/aliases/production", json={"version": 2, "canary": {"version": 1, "share": 0.25}})
    client.delete("/models/aliases/production/canary")
    client.post("/models/aliases/production/rollback")
    made = client.post("/keys", json={"name": "bob", "scope": "admin"}).json()["key"]
    client.headers["authorization"] = f"Bearer {made}"
    found = [(one["who"], one["operation"], one["target"], one["before"], one["after"]) for one in told(client)]
    alias = "/models/aliases/production"
    assert found == [
        ("local", "POST /keys", "/keys/1", None, {"name": "bob", "scope": "admin"}),
        ("local", "POST /models/aliases/{alias}/rollback", alias, {"version": 2}, {"version": 1}),
        ("local", "DELETE /models/aliases/{alias}/canary", alias, {"canary": 1, "share": 0.25}, None),
        (
            "local",
            "PUT /models/aliases/{alias}",
            alias,
            {"version": 1},
            {"version": 2, "canary": 1, "share": 0.25},
        ),
        ("local", "POST /models", "/models/2", None, {"version": 2, "run": second.id}),
        ("local", "POST /models", alias, {"version": None}, {"version": 1}),
        ("local", "POST /models", "/models/1", None, {"version": 1, "run": first.id}),
        (
            "local",
            "PATCH /runs/{run_id}",
            f"/runs/{first.id}",
            {"name": "a run", "tags": []},
            {"name": "baseline", "tags": ["good"]},
        ),
    ]


def test_what_changes_nothing_leaves_no_row(client: TestClient, records: Records) -> None:
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    before = told(client)
    client.get("/jobs")
    client.post("/predict", files={"file": ("a.jpg", jpeg(), "image/jpeg")})
    client.post("/jobs", json=TRAIN, params={"dry_run": "true"})
    client.post("/jobs", json={"kind": "train", "dataset": "none"})
    client.post("/jobs", json={})
    client.delete("/runs/999")
    client.post("/jobs/999/cancel")
    client.put("/models/aliases/production", json={"version": 999})
    client.post("/label-rules/try", json={"names": ["Birman_1.jpg"]})
    assert told(client) == before


def test_the_same_job_asked_for_again_is_one_change(client: TestClient, records: Records) -> None:
    records.dataset()
    for _ in range(3):
        client.post("/jobs", json=TRAIN, headers={"idempotency-key": "once"})
    assert [one["operation"] for one in told(client)] == ["POST /jobs"]


def test_uploads_are_told_though_they_are_files(client: TestClient) -> None:
    tus = {"tus-resumable": "1.0.0"}
    upload = client.post("/uploads", headers=tus | {"upload-length": "9"}).json()
    client.patch(
        f"/uploads/{upload['id']}",
        content=b"123",
        headers=tus | {"upload-offset": "0", "content-type": "application/offset+octet-stream"},
    )
    client.delete(f"/uploads/{upload['id']}", headers=tus)
    assert [one["operation"] for one in told(client)] == ["DELETE /uploads/{upload_id}", "POST /uploads"]


def test_a_change_and_its_row_come_together_or_not_at_all(
    app: FastAPI, client: TestClient, records: Records, sessions: sessionmaker[Session]
) -> None:
    records.dataset()
    ours = app.state.services.sessions

    def fail(*_: object) -> None:
        message = "the row cannot be written"
        raise RuntimeError(message)

    event.listen(AuditEntry, "before_insert", fail)
    try:
        assert client.post("/jobs", json=TRAIN).status_code == 500
    finally:
        event.remove(AuditEntry, "before_insert", fail)
    with ours.begin() as session:
        assert session.scalars(select(Job)).all() == []
    assert told(client) == []
    assert client.post("/jobs", json=TRAIN).status_code == 202
    assert len(told(client)) == 1
    # What a worker writes is nobody's request.
    with sessions.begin() as session:
        session.execute(update(Job).values(attempt=7))
    assert len(told(client)) == 1


def test_changes_come_in_pages_are_chosen_and_are_a_table(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset())
    for number in range(5):
        client.patch(f"/runs/{run.id}", json={"name": f"=name {number}"}, headers={"x-request-id": f"r{number}"})
    client.post("/jobs", json=TRAIN)
    first = client.get("/audit", params={"limit": 4}).json()
    second = client.get("/audit", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert [len(first["items"]), len(second["items"]), second["next_cursor"]] == [4, 2, None]
    assert len(told(client, operation="PATCH /runs/{run_id}")) == 5
    assert [one["after"]["name"] for one in told(client, request_id="r3")] == ["=name 3"]
    assert len(told(client, target=f"/runs/{run.id}", who="local")) == 5
    assert told(client, who="nobody") == told(client, since="2999-01-01T00:00:00Z") == []
    assert len(told(client, until="2999-01-01T00:00:00Z")) == 6
    assert client.get("/audit", params={"cursor": "x"}).status_code == 400
    assert client.get("/audit", params={"since": "soon"}).status_code == 422
    table = client.get("/audit", params={"limit": 2}, headers={"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["operation"] for row in rows] == ["POST /jobs", "PATCH /runs/{run_id}"]
    assert "next" in table.headers["link"]


def test_every_operation_that_is_none_of_reading_is_known() -> None:
    assert set(SCOPES) >= CHANGES_NOTHING | IN_FILES


def test_old_changes_are_forgotten(client: TestClient, records: Records, sessions: sessionmaker[Session]) -> None:
    records.dataset()
    for _ in range(2):
        client.post("/jobs", json=TRAIN)
    with sessions.begin() as session:
        session.execute(
            update(AuditEntry).where(AuditEntry.id == 1).values(changed_at=datetime.now(UTC) - timedelta(days=9))
        )
        assert forget_old_changes(session, older_than=timedelta(days=8)) == 1
    assert [one["id"] for one in told(client)] == [2]


def test_a_request_brings_its_id_or_gets_one(client: TestClient, records: Records) -> None:
    assert client.get("/healthz", headers={"x-request-id": "edge-7.a_B"}).headers["x-request-id"] == "edge-7.a_B"
    made = {client.get("/healthz", headers={"x-request-id": one}).headers["x-request-id"] for one in ODD}
    assert len(made) == len(ODD)
    assert not made & set(ODD)
    assert all(len(one) == 32 and one.isalnum() for one in made)
    problem = client.get("/runs/7", headers={"x-request-id": "mine"})
    assert (problem.json()["request_id"], problem.headers["x-request-id"]) == ("mine", "mine")
    records.dataset()
    job = client.post("/jobs", json=TRAIN, headers={"x-request-id": "mine"}).json()
    assert job["request_id"] == "mine"
    records.move(records.sessions().get_one(Job, job["id"]), State.RUNNING)
    assert client.get(f"/jobs/{job['id']}").json()["request_id"] == "mine"


ODD = ["", " ", "a b", "x" * 65, "a\tb", "a;b", "%0a", "a/b"]


def test_a_defect_too_is_found_by_its_id(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "broken"
        raise RuntimeError(message)

    monkeypatch.setattr("api.routes.models.list_versions", fail)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/models", headers={"x-request-id": "mine"})
    assert (answer.status_code, answer.json()["request_id"]) == (500, "mine")


def test_a_change_is_a_line_of_the_log(client: TestClient, records: Records, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    records.dataset()
    client.post("/jobs", json=TRAIN)
    assert "POST /jobs by local: 202" in caplog.text
    client.post("/jobs/999/cancel")
    assert "POST /jobs/999/cancel by local: 404" in caplog.text
