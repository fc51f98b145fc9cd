"""Webhooks over HTTP: which are made, what is shown of them, and what is on record."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from store.access import Scope
from store.db.access_keys import create_key
from store.db.webhook_tables import Webhook
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient

URL = "https://hooks.example.org/token-of-mine"


@pytest.fixture
def calling(settings: Settings) -> Iterator[TestClient]:
    """An app that may call some hosts."""
    allowed = settings.model_copy(update={"webhook_hosts": "hooks.example.org,http://ci.local:8080"})
    with TestClient(create_app(allowed, load=FakeClassifier.load), base_url="http://localhost") as client:
        yield client


def test_a_secret_is_shown_once_and_is_in_no_log_audit_or_answer(
    settings: Settings, sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with sessions.begin() as session:
        _, key = create_key(session, name="alice", scope=Scope.ADMIN)
    allowed = settings.model_copy(update={"webhook_hosts": "hooks.example.org"})
    headers = {"authorization": f"Bearer {key}"}
    with TestClient(
        create_app(allowed, load=FakeClassifier.load), base_url="http://localhost", headers=headers
    ) as client:
        made = client.post("/webhooks", json={"url": URL, "events": ["job.failed"], "kinds": ["train", "lr_find"]})
        assert made.status_code == 201
        assert made.headers["cache-control"] == "no-store"
        secret = made.json()["secret"]
        (listed,) = client.get("/webhooks").json()["items"]
        assert {**listed, "secret": secret} == made.json()
        assert listed | {"created_at": ""} == {
            "id": 1,
            "url": URL,
            "events": ["job.failed"],
            "kinds": ["lr_find", "train"],
            "created_by": "alice",
            "created_at": "",
            "gone_at": None,
            "last": None,
        }
        tested = client.post("/webhooks/1/test")
        assert client.get("/webhooks").json()["items"][0]["last"] == tested.json()
        assert (tested.status_code, tested.json()["state"], tested.json()["job"]) == (202, "waiting", None)
        assert client.delete("/webhooks/1").status_code == 204
        changes = client.get("/audit")
        assert [(one["operation"], one["target"], one["who"]) for one in changes.json()["items"]] == [
            ("DELETE /webhooks/{webhook_id}", "/webhooks/1", "alice"),
            ("POST /webhooks/{webhook_id}/test", "/webhooks/1", "alice"),
            ("POST /webhooks", "/webhooks/1", "alice"),
        ]
        about = {"origin": "https://hooks.example.org", "events": ["job.failed"], "kinds": ["lr_find", "train"]}
        assert (changes.json()["items"][0]["before"], changes.json()["items"][2]["after"]) == (about, about)
    assert secret.startswith("whsec_")
    assert "token-of-mine" not in changes.text
    assert [one for one in (secret, "token-of-mine") if one in caplog.text] == []
    with sessions.begin() as session:
        assert session.query(Webhook).count() == 0


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"url": "https://other.example.org/"}, 400, "host_not_allowed", "body.url"),
        ({"url": "http://hooks.example.org/"}, 400, "host_not_allowed", "body.url"),
        ({"url": "https://hooks.example.org:444/"}, 400, "host_not_allowed", "body.url"),
        ({"url": "https://hooks.example.org@127.0.0.1/"}, 422, "invalid_request", "body.url"),
        ({"url": "https://me:word@hooks.example.org/"}, 422, "invalid_request", "body.url"),
        ({"url": f"https://hooks.example.org/{'x' * 2000}"}, 422, "invalid_request", "body.url"),
        ({"url": 1}, 422, "invalid_request", "body.url"),
        ({"url": URL, "events": []}, 422, "invalid_request", "body.events"),
        ({"url": URL, "events": ["webhook.test"]}, 422, "invalid_request", "body.events.0"),
        ({"url": URL, "kinds": ["nothing"]}, 422, "invalid_request", "body.kinds.0"),
        ({"url": URL, "secret": "mine"}, 422, "invalid_request", "body.secret"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused_by_its_field(
    calling: TestClient, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = calling.post("/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, field), answer.text
    assert calling.get("/webhooks").json()["items"] == []


def test_without_the_setting_there_are_none(client: TestClient) -> None:
    answer = client.post("/webhooks", json={"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (400, "host_not_allowed")
    assert "PEDIGREE_WEBHOOK_HOSTS" in answer.json()["hint"]
    assert client.get("/webhooks").json() == {"items": [], "next_cursor": None, "hosts": []}


def test_what_may_be_called_is_told_with_the_webhooks(calling: TestClient) -> None:
    assert calling.get("/webhooks").json()["hosts"] == ["http://ci.local:8080", "https://hooks.example.org"]


def test_what_a_webhook_is_told_is_listed_page_by_page(calling: TestClient, records: Records) -> None:
    records.dataset()
    calling.post("/webhooks", json={"url": "http://ci.local:8080"})
    jobs = []
    for _ in range(3):
        train = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "batch_size": 4}}
        jobs.append(calling.post("/jobs", json=train).json()["id"])
        calling.post(f"/jobs/{jobs[-1]}/cancel")
    first = calling.get("/webhooks/1/deliveries", params={"limit": 2}).json()
    last = calling.get("/webhooks/1/deliveries", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    items = first["items"] + last["items"]
    assert [one["job"] for one in items] == jobs[::-1]
    assert last["next_cursor"] is None
    assert {(one["event"], one["state"], one["attempts"]) for one in items} == {("job.cancelled", "waiting", 0)}
    assert len({one["message"] for one in items}) == 3
    assert all(one["next_try_at"] == one["created_at"] for one in items)


@pytest.mark.parametrize("asked", [("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")])
def test_a_webhook_that_is_not_there_is_not_found(calling: TestClient, asked: tuple[str, str]) -> None:
    answer = calling.request(asked[0], f"/webhooks/9{asked[1]}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no webhook 9")
