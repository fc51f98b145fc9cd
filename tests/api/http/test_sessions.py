"""The session that a browser has in place of a key."""

import pytest
from sqlalchemy.orm import Session, sessionmaker
from starlette.datastructures import Headers

from api.http.session_cookies import AT_ROOT, COOKIE, MOST_SHOWN, sessions_shown
from store.access import Scope
from store.db.access_tables import AccessKey, KeySession
from tests.api.http.conftest import bearer
from tests.api.http.test_gate import TRAIN
from tests.api.web import TestClient


def test_a_browser_gets_a_session_in_place_of_the_key(closed: TestClient, keys: dict[Scope, str]) -> None:
    begun = closed.post("/session", headers=bearer(keys[Scope.TRAIN]))
    assert (begun.status_code, begun.json()["key"]) == (201, "train")
    cookie = begun.headers["set-cookie"]
    assert [part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/", "Secure")] == [True, True, True, False]
    assert keys[Scope.TRAIN].split("_", 2)[2] not in cookie
    assert closed.get("/jobs").status_code == 200
    assert closed.post("/session").status_code == 409
    assert closed.get("/keys").status_code == 403
    assert closed.get("/keys", headers=bearer(keys[Scope.ADMIN])).status_code == 200
    foreign = closed.post("/jobs", json=TRAIN, headers={"origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_origin")
    token = closed.cookies[COOKIE]
    assert closed.delete("/session").status_code == 204
    assert COOKIE not in closed.cookies
    assert closed.get("/jobs", headers={"cookie": f"{COOKIE}={token}"}).status_code == 401
    secure = closed.post("/session", headers=bearer(keys[Scope.TRAIN]) | {"origin": "https://localhost"})
    assert "Secure" in secure.headers["set-cookie"]


def test_a_session_ends_with_its_key_and_a_key_has_few(
    closed: TestClient, keys: dict[Scope, str], sessions: sessionmaker[Session]
) -> None:
    for _ in range(12):
        assert closed.post("/session", headers=bearer(keys[Scope.TRAIN])).status_code == 201
    with sessions.begin() as session:
        assert session.query(KeySession).count() == 10
        (train,) = session.query(AccessKey.id).filter_by(name="train").one()
    assert closed.get("/jobs").status_code == 200
    assert closed.delete(f"/keys/{train}", headers=bearer(keys[Scope.ADMIN])).status_code == 200
    assert closed.get("/jobs").status_code == 401
    with sessions.begin() as session:
        assert session.query(KeySession).count() == 0


def test_without_a_key_there_is_no_session(client: TestClient) -> None:
    assert client.post("/session").status_code == 409


SECRETS = ["a" * 43, "b" * 43, "c" * 43]


def test_of_two_cookies_of_one_name_neither_is_lost() -> None:
    """A browser sends that of the longer path first, where two services of one host lie below each other."""
    pairs = [(COOKIE, SECRETS[0]), ("other", "x"), (COOKIE, SECRETS[1]), (AT_ROOT, SECRETS[2]), (COOKIE, "no secret")]
    headers = Headers({"cookie": "; ".join(f"{name}={value}" for name, value in pairs)})
    assert sessions_shown(headers) == [SECRETS[2], SECRETS[0], SECRETS[1]]


def test_a_request_has_no_more_than_some_sessions_looked_up() -> None:
    assert len(sessions_shown(Headers({"cookie": f"{COOKIE}={SECRETS[0]};" * 900}))) == MOST_SHOWN


def test_planted_cookies_push_out_no_session_that_only_this_host_can_give() -> None:
    planted = f"{COOKIE}={SECRETS[0]};" * MOST_SHOWN
    assert sessions_shown(Headers({"cookie": f"{planted}{AT_ROOT}={SECRETS[1]}"}))[0] == SECRETS[1]


@pytest.mark.parametrize("text", ["", COOKIE, f"{COOKIE}=", f"x{COOKIE}={SECRETS[0]}", f"a=b {COOKIE}={SECRETS[0]}"])
def test_what_is_no_cookie_of_ours_shows_no_session(text: str) -> None:
    assert sessions_shown(Headers({"cookie": text})) == []
