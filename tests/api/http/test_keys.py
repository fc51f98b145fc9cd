"""Who may come in: every route with every scope, and what becomes of keys."""

import logging
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker
from starlette.types import Message

from api.app import create_app
from api.http import keyring
from api.http.keyring import AccessSnapshot, Keyring
from api.http.scopes import SCOPES, Needed, Operation, Rule, Scopes
from api.http.session_cookies import COOKIE
from store.access import Scope, digest_of
from store.db.access_keys import revoke_key
from store.db.access_tables import AccessKey
from store.db.models import Job
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.conftest import Make, bearer
from tests.api.records import Records
from tests.api.web import TestClient

PLACES = {
    "{name}": "nothing",
    "{place:path}": "runs",
    "{name:path}": "frame/page.js",
    "{digest}": "0",
    "{alias}": "nothing",
    "{prediction}": "0b6cf0a2-63bf-4d3a-9a44-7f6f0c5c7c11",
    "{upload_id}": "0b6cf0a2-63bf-4d3a-9a44-7f6f0c5c7c11",
}
TRAIN = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "batch_size": 4}}


def test_the_table_has_the_apps_routes_and_no_other(app: FastAPI) -> None:
    assert Scopes(app.state.routes).operations == set(SCOPES)


def path_of(operation: Operation) -> str:
    path = operation[1]
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return "/".join("999999" if part.startswith("{") else part for part in path.split("/"))


def test_each_path_finds_its_own_line_of_the_table(app: FastAPI) -> None:
    scopes = Scopes(app.state.routes)
    assert {one: scopes.needed(one[0], path_of(one))[1] for one in SCOPES} == {one: one for one in SCOPES}


def test_every_route_with_every_scope(closed: TestClient, keys: dict[Scope, str]) -> None:
    asked: dict[str, Scope | None] = {"": None} | {keys[scope]: scope for scope in Scope}
    seen = {
        (operation, scope): answer_to(closed, operation, bearer(key) if key else {})
        for operation in SCOPES
        for key, scope in asked.items()
    }
    wrong = {
        (operation, scope): status
        for (operation, scope), status in seen.items()
        if (status if status in {401, 403} else None) != refusal(SCOPES[operation], scope)
    }
    assert len(seen) > 350
    assert wrong == {}


def answer_to(client: TestClient, operation: Operation, headers: dict[str, str]) -> int:
    method, _ = operation
    # A stream of events has no end, its head does.
    asked = "HEAD" if operation[1].endswith("/events") else method
    headers = headers | ({"tus-resumable": "1.0.0"} if operation[1].startswith("/uploads") else {})
    client.cookies.clear()  # of the session that one of them begins
    status: int = client.request(asked, path_of(operation), headers=headers, follow_redirects=False).status_code
    return status


def refusal(needed: Needed, scope: Scope | None) -> int | None:
    if not isinstance(needed, Scope):
        return None if needed is Rule.OPEN else 401
    if scope is None:
        return 401
    return None if scope.covers(needed) else 403


def test_a_route_that_the_table_does_not_have_is_refused(settings: Settings) -> None:
    app = create_app(settings, load=FakeClassifier.load)
    app.add_api_route("/new", lambda: {"secret": 1})
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.get("/new")
    assert (answer.status_code, answer.json()["code"]) == (403, "route_unlisted")
    scopes = Scopes(app.state.routes, {one: needed for one, needed in SCOPES.items() if one != ("GET", "/jobs")})
    assert scopes.needed("GET", "/jobs")[0] is Rule.UNLISTED


def test_a_refusal_says_what_is_missing(closed: TestClient, keys: dict[Scope, str]) -> None:
    nothing = closed.get("/jobs")
    assert (nothing.status_code, nothing.json()["code"]) == (401, "key_needed")
    assert nothing.headers["www-authenticate"] == 'Bearer realm="pedigree"'
    assert nothing.headers["content-type"] == "application/problem+json"
    assert nothing.headers["x-content-type-options"] == "nosniff"
    small = closed.post("/models", json={"run": 1}, headers=bearer(keys[Scope.PREDICT]))
    assert (small.status_code, small.json()["code"]) == (403, "scope_missing")
    assert small.json()["detail"] == "this needs a key of the scope admin, and predict has predict"
    assert 'scope="admin"' in small.headers["www-authenticate"]


def test_a_session_that_nobody_could_look_for_is_no_refusal_and_one_looked_for_in_vain_is_not_looked_for_again(
    closed: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []

    def look(ring: Keyring, asked_at: float) -> AccessSnapshot | None:
        looked.append(asked_at)
        return ring.now_known() if away else own(ring, asked_at)

    own, away = Keyring.looked_again, True
    monkeypatch.setattr(Keyring, "looked_again", look)
    cookie = {"cookie": f"{COOKIE}={'A' * 43}"}
    unread = closed.get("/jobs", headers=cookie)
    assert (unread.status_code, unread.headers["retry-after"], len(looked)) == (503, "2", 1)
    assert [closed.get(path, headers=cookie).status_code for path in ("/readyz", "/metrics")] == [503, 503]
    away = False
    looked.clear()
    answers = [closed.get("/jobs", headers=cookie) for _ in range(3)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(401, "key_needed")] * 3
    assert len(looked) == 1


def test_an_unknown_number_and_a_wrong_secret_are_one(
    closed: TestClient, keys: dict[Scope, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return compare_digest(one, other)

    monkeypatch.setattr(keyring, "compare_digest", compare)
    secret = "A" * 43
    number = keys[Scope.ADMIN].split("_")[1]
    answers = [closed.get("/jobs", headers=bearer(f"pdg_{one}_{secret}")) for one in (number, "999999")]
    assert answers[0].json() | {"request_id": ""} == answers[1].json() | {"request_id": ""}
    assert [answer.status_code for answer in answers] == [401, 401]
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]
    assert compared == [digest_of(secret)] * 2


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic {key}", "{key}", "Bearer {key}x", "Bearer pdg__", "Bearer {key} x"],
)
def test_what_is_no_key_is_none(closed: TestClient, keys: dict[Scope, str], header: str) -> None:
    answer = closed.get("/jobs", headers={"authorization": header.format(key=keys[Scope.ADMIN])})
    assert answer.status_code == 401


def test_a_key_in_the_address_or_in_a_cookie_is_none(closed: TestClient, keys: dict[Scope, str]) -> None:
    key = keys[Scope.ADMIN]
    for name in ("key", "token", "access_token", "authorization"):
        assert closed.get("/jobs", params={name: key}).status_code == 401
    assert closed.get("/jobs", headers={"cookie": f"{COOKIE}={key}"}).status_code == 401


def test_nothing_of_a_body_is_read_without_a_key(closed: TestClient) -> None:
    said: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        said.append(message)

    async def ask() -> None:
        headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
        scope = {"type": "http", "method": "POST", "path": "/datasets", "query_string": b"", "headers": headers}
        await closed.app(scope, receive, send)

    anyio.run(ask)
    assert said[0]["status"] == 401


def test_a_revoked_key_is_refused_at_once_here_and_soon_elsewhere(
    closed: TestClient, settings: Settings, keys: dict[Scope, str]
) -> None:
    with TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost") as other:
        train, admin = bearer(keys[Scope.TRAIN]), bearer(keys[Scope.ADMIN])
        assert {closed.get("/jobs", headers=train).status_code, other.get("/jobs", headers=train).status_code} == {200}
        (one,) = [key for key in closed.get("/keys", headers=admin).json()["items"] if key["name"] == "train"]
        gone = closed.delete(f"/keys/{one['id']}", headers=admin)
        assert gone.json()["state"] == "revoked"
        assert closed.get("/jobs", headers=train).status_code == 401
        until(lambda: other.get("/jobs", headers=train).status_code == 401)
        assert closed.delete(f"/keys/{one['id']}", headers=admin).json() == gone.json()
        assert closed.delete("/keys/999", headers=admin).status_code == 404


def test_a_key_ends_by_itself(client: TestClient, make: Make, sessions: sessionmaker[Session]) -> None:
    key = make("short", expires_at=datetime.now(UTC) + timedelta(days=1))
    client.app.state.services.keyring.refresh()  # type: ignore[attr-defined]  # a FastAPI
    assert client.get("/jobs", headers=bearer(key)).status_code == 200
    with sessions.begin() as session:
        session.execute(update(AccessKey).values(expires_at=datetime.now(UTC)))
    until(lambda: client.get("/jobs", headers=bearer(key)).status_code == 401)
    # That no key is good any more opens nothing.
    assert client.get("/jobs").status_code == 401


def test_the_first_key_closes_an_open_service_and_its_end_opens_nothing(
    client: TestClient, make: Make, sessions: sessionmaker[Session]
) -> None:
    assert client.get("/session").json() == {"is_open": True, "key": None, "scope": "admin", "expires_at": None}
    key = make("first")
    until(lambda: client.get("/jobs").status_code == 401)
    assert client.get("/session", headers=bearer(key)).json()["is_open"] is False
    with sessions.begin() as session:
        revoke_key(session, 1)
    until(lambda: client.get("/jobs", headers=bearer(key)).status_code == 401)
    assert client.get("/jobs").status_code == 401
    assert client.get("/healthz").status_code == 200


def test_keys_are_made_and_listed_over_http_and_never_shown_again(client: TestClient) -> None:
    made = client.post("/keys", json={"name": "alice", "scope": "train", "expires_at": "2999-01-01T00:00:00Z"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()["key"]
    assert (made.json()["created_by"], made.json()["state"]) == ("local", "in_use")
    assert client.get("/jobs").status_code == 401
    assert client.get("/keys", headers=bearer(key)).status_code == 403
    assert client.get("/jobs", headers=bearer(key)).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "scope": "train"}, "body.name"),
        ({"name": "local", "scope": "train"}, "body.name"),
        ({"name": "a b", "scope": "train"}, "body.name"),
        ({"name": "x" * 65, "scope": "train"}, "body.name"),
        ({"name": "a", "scope": "root"}, "body.scope"),
        ({"name": "a", "scope": "train", "expires_at": "2001-01-01T00:00:00Z"}, "body.expires_at"),
        ({"name": "a", "scope": "train", "expires_at": "2999-01-01"}, "body.expires_at"),
        ({"name": "a"}, "body.scope"),
    ],
)
def test_a_key_that_cannot_be_is_refused(client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = client.post("/keys", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert client.get("/keys").json()["items"] == []


def test_two_keys_in_use_have_two_names(closed: TestClient, keys: dict[Scope, str]) -> None:
    answer = closed.post("/keys", json={"name": "train", "scope": "train"}, headers=bearer(keys[Scope.ADMIN]))
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (409, "name_conflict", "body.name")


def test_keys_are_in_no_log_and_no_answer(
    settings: Settings, keys: dict[Scope, str], caplog: pytest.LogCaptureFixture, sessions: sessionmaker[Session]
) -> None:
    caplog.set_level(logging.DEBUG)
    app = create_app(settings, load=FakeClassifier.load)
    told: list[str] = []
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        for key in (*keys.values(), f"pdg_1_{'B' * 43}", "pdg_nonsense" * 5):
            for method, path in (("GET", "/jobs"), ("POST", "/jobs"), ("POST", "/session"), ("GET", "/nowhere")):
                told.append(client.request(method, path, headers=bearer(key)).text)
            told.append(client.get(f"/ui/?key={key}").text if key.startswith("pdg_n") else "")
    secrets = [key.split("_", 2)[2] for key in (*keys.values(), f"pdg_1_{'B' * 43}")]
    assert not [one for one in secrets if one in caplog.text or one in "".join(told)]
    with sessions.begin() as session:
        kept = b"".join(key.digest for key in session.query(AccessKey))
    assert not [one for one in secrets if one.encode() in kept]


def test_when_a_key_was_used_last_is_kept_without_a_write_for_each_request(
    settings: Settings, keys: dict[Scope, str], sessions: sessionmaker[Session]
) -> None:
    def used() -> list[str]:
        with sessions.begin() as session:
            return [key.name for key in session.query(AccessKey) if key.last_used_at is not None]

    with TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost") as client:
        for _ in range(5):
            assert client.get("/models", headers=bearer(keys[Scope.PREDICT])).status_code == 200
        assert used() == []
    assert used() == ["predict"]


def test_other_sites_that_may_ask_show_a_key_too(settings: Settings, keys: dict[Scope, str]) -> None:
    friend = "https://pets.example.org"
    app = create_app(settings.model_copy(update={"cors_origins": friend}), load=FakeClassifier.load)
    asked = {"origin": friend, "access-control-request-method": "POST"}
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.options("/jobs", headers=asked)
        assert answer.status_code == 204
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        assert client.get("/jobs", headers={"origin": friend}).status_code == 401
        assert client.get("/jobs", headers={"origin": friend} | bearer(keys[Scope.TRAIN])).status_code == 200


def test_a_method_that_a_path_does_not_have_is_told_only_who_has_a_key(
    closed: TestClient, keys: dict[Scope, str], records: Records
) -> None:
    records.dataset()
    assert closed.patch("/jobs").status_code == 401
    assert closed.options("/jobs").status_code == 401
    assert closed.get("/nowhere").status_code == 401
    assert closed.get("/jobs/").status_code == 401
    assert {closed.get(path, follow_redirects=False).status_code for path in ("/ui", "/docs/")} == {307}
    key = bearer(keys[Scope.PREDICT])
    assert closed.patch("/jobs", headers=key).status_code == 405
    assert closed.get("/nowhere", headers=key).status_code == 404
    assert closed.post("/jobs", json=TRAIN, headers=bearer(keys[Scope.TRAIN])).status_code == 202
    with records.sessions.begin() as session:
        assert session.query(Job).count() == 1
