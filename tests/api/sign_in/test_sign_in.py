"""Sign-in by a real provider on loopback: the whole way, and what must not lead in."""

import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.http.keyring import MOMENT_SECONDS
from api.http.session_cookies import AT_ROOT, COOKIE
from api.sign_in import attempt as attempts
from store.access import Scope, digest_of
from store.db.access_keys import create_key
from store.db.access_tables import SignIn
from store.db.audit_table import AuditEntry
from tests.api.fake_classifier import FakeClassifier
from tests.api.sign_in.conftest import SetFor
from tests.api.web import TestClient
from tests.identity_provider import CLIENT, Claims, IdentityProvider, letters

ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "ui",
    "",
    "/\t/evil.example",
    "/%2e%2e/x",
    "/é",
    "/ x",
)
WRONG: dict[str, tuple[Claims, str]] = {
    "issuer": ({"iss": "http://127.0.0.1:1"}, "another issuer"),
    "audience": ({"aud": "somebody"}, "somebody else"),
    "shared audience": ({"aud": [CLIENT, "somebody"]}, "made for somebody else"),
    "party": ({"azp": "somebody"}, "made for somebody else"),
    "nonce": ({"nonce": "another"}, "not of this sign-in"),
    "no nonce": ({"nonce": None}, "not of this sign-in"),
    "expired": ({"exp": 1_000_000_000}, "has expired"),
    "endless": ({"exp": None}, "when it holds"),
    "early": ({"iat": 9_000_000_000}, "a time to come"),
    "nobody": ({"sub": None}, "names nobody"),
}


def callback(browser: httpx.Client, place: str = "/ui/runs") -> str:
    """Begin, and have the provider sign in; where it sends the browser back to."""
    begun = browser.get("/sign-in", params={"next": place}, follow_redirects=False)
    assert begun.status_code == 303
    back = browser.get(begun.headers["location"], follow_redirects=False)
    return str(back.headers["location"])


def show(browser: httpx.Client, begun: str) -> None:
    """Have it show the cookie of that sign-in again, whatever it was told to forget."""
    browser.cookies.set(attempts.COOKIE, begun, domain="localhost.local", path="/")


def test_a_person_signs_in_works_and_signs_out(
    browser: httpx.Client, provider: IdentityProvider, sessions: sessionmaker[Session], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert browser.get("/jobs").status_code == 401
    told = browser.get("/sign-in/provider").json()
    assert told == {"name": "Example & Co", "address": "http://localhost/sign-in"}
    page = browser.get(told["address"], params={"next": "/ui/runs?sort=name"})
    assert (page.status_code, str(page.url)) == (200, "http://localhost/ui/runs?sort=name")
    given = page.history[-1].headers.get_list("set-cookie")
    session = next(one for one in given if one.startswith(f"{COOKIE}="))
    assert [part in session for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age", "alice", "Secure")] == [
        *(True, True, True),
        *(False, False, False),
    ]
    assert browser.get("/session").json()["key"] == "alice@example.org"
    assert [browser.get(path).status_code for path in ("/jobs", "/keys")] == [200, 403]
    secret = browser.cookies[COOKIE]
    with sessions.begin() as record:
        (kept,) = record.query(SignIn).all()
        assert (kept.digest, kept.subject, kept.scope) == (digest_of(secret), "7", "train")
        assert timedelta(hours=7) < kept.expires_at - datetime.now(UTC) <= timedelta(hours=8)
    assert browser.delete("/session").status_code == 204
    assert browser.get("/jobs", headers={"cookie": f"{COOKIE}={secret}"}).status_code == 401
    with sessions.begin() as record:
        rows = record.query(AuditEntry).order_by(AuditEntry.id).all()
        assert [(row.who, row.operation, row.target, row.key_id) for row in rows] == [
            ("alice@example.org", "GET /sign-in/callback", "/session", None),
            ("alice@example.org", "DELETE /session", "/session", None),
        ]
        assert (rows[0].after or {})["subject"] == (rows[1].before or {})["subject"] == "7"
        kept_text = " ".join(f"{row.before} {row.after} {row.target}" for row in rows)
    everything = caplog.text + kept_text + browser.get("/openapi.json").text
    assert [one for one in (secret, *provider.secrets_seen) if one in everything] == []
    assert "alice@example.org signed in" in caplog.text


def test_what_is_not_for_us_now_and_this_sign_in_is_refused(
    browser: httpx.Client, provider: IdentityProvider, sessions: sessionmaker[Session]
) -> None:
    for wrong, (change, why) in WRONG.items():
        provider.change = change
        answer = browser.get("/sign-in")
        assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_refused"), wrong
        assert why in answer.json()["detail"], wrong
    provider.change = {}
    for forged in (_unsigned, _signed_with_the_public_key(provider), lambda _: "a.b.c", lambda _: "é" * 70_000):
        provider.token = forged
        assert browser.get("/sign-in").json()["code"] == "sign_in_refused"
    provider.token = IdentityProvider("http://another").signed
    assert "not signed by one of the provider's keys" in browser.get("/sign-in").json()["detail"]
    assert COOKIE not in browser.cookies
    with sessions.begin() as record:
        assert record.query(SignIn).count() == record.query(AuditEntry).count() == 0


def _unsigned(claims: Claims) -> str:
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _signed_with_the_public_key(provider: IdentityProvider) -> Callable[[Claims], str]:
    """As if the key that everybody may know were one that two share."""
    shared = provider.key.as_pem(private=False)

    def sign(claims: Claims) -> str:
        signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(claims)}"
        return f"{signed}.{letters(hmac.digest(shared, signed.encode(), 'sha256'))}"

    return sign


def _part(content: Claims) -> str:
    return letters(json.dumps(content).encode())


def test_an_answer_serves_the_browser_that_asked_and_once(browser: httpx.Client, provider: IdentityProvider) -> None:
    back = callback(browser)
    begun = browser.cookies[attempts.COOKIE]
    (state,) = parse_qs(urlsplit(back).query)["state"]
    for query in ({"code": "x", "state": "x"}, {"code": "x"}, {}, {"code": "x", "state": "é"}):
        assert browser.get("/sign-in/callback", params=query).json()["code"] == "sign_in_lost"
        show(browser, begun)
    browser.cookies.clear()
    assert browser.get(back).json()["code"] == "sign_in_lost"
    show(browser, begun)
    assert "access_denied" in browser.get(f"/sign-in/callback?state={state}&error=access_denied").json()["detail"]
    show(browser, begun)
    wrong = browser.get(f"/sign-in/callback?state={state}&code=x&iss=https://evil.example")
    assert "another issuer" in wrong.json()["detail"]
    show(browser, begun)
    assert browser.get(back).status_code == 200
    assert attempts.COOKIE not in browser.cookies
    assert browser.get(back).json()["code"] == "sign_in_lost"
    show(browser, begun)
    again = browser.get(back)
    assert (again.status_code, "invalid_grant" in again.json()["detail"], "<b>" in again.text) == (403, True, False)
    assert browser.get("/jobs").status_code == 200
    provider.claims = {"sub": "8", "groups": "keepers"}
    stolen = callback(browser)
    browser.get("/sign-in", follow_redirects=False)
    assert browser.get(stolen).json()["code"] == "sign_in_lost"


def test_groups_say_what_a_person_may_do(browser: httpx.Client, provider: IdentityProvider) -> None:
    for groups, scope in ((["pets", "keepers"], "admin"), ("dogs", "train")):
        provider.claims = {"sub": "a b", "email": "bob@example.org", "email_verified": False, "groups": groups}
        assert browser.get("/sign-in").status_code == 200
        about = browser.get("/session").json()
        assert (about["scope"], about["key"]) == (scope, "a b@127.0.0.1")
    assert browser.delete("/session").status_code == 204
    provider.claims = {"sub": "9", "email": "<b>@example.org", "groups": ["pet", "", "PETS"]}
    answer = browser.get("/sign-in", headers={"accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "The account 9@127.0.0.1 is in no group that may use this service" in answer.text
    provider.change = {"groups": None}
    assert "PEDIGREE_OIDC_GROUPS_CLAIM" in browser.get("/sign-in").json()["hint"]
    assert browser.get("/jobs").status_code == 401


def test_another_site_can_do_nothing_with_the_cookie(browser: httpx.Client) -> None:
    assert browser.get("/sign-in").status_code == 200
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        for method, path in (("POST", "/jobs"), ("DELETE", "/session"), ("POST", "/session"), ("DELETE", "/keys/1")):
            answer = browser.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
    assert browser.get("/jobs").status_code == 200
    # A session makes no other session, nor a key.
    assert [browser.post("/session").status_code, browser.post("/keys", json={}).status_code] == [409, 403]


def test_the_way_on_is_a_path_of_this_service(browser: httpx.Client) -> None:
    answer = browser.get("/sign-in", params={"next": "//evil.example"})
    assert (answer.status_code, answer.json()["field"]) == (400, "query.next")
    assert [place for place in ELSEWHERE if attempts.is_local(place, "")] == []
    assert [attempts.is_local(place, "/pets") for place in ("/pets", "/pets/ui/?a=b#c", "/petsitters", "/ui")] == [
        *(True, True),
        *(False, False),
    ]


def test_a_session_ends_by_itself_and_keys_go_on_beside_it(
    browser: httpx.Client, app: FastAPI, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as record:
        key = create_key(record, name="ci", scope=Scope.ADMIN)[1]
    keyring = app.state.services.keyring
    keyring.refresh()
    before = replace(keyring.known, read_at=keyring.known.read_at - MOMENT_SECONDS)
    assert browser.get("/sign-in").status_code == 200
    # As if another process of the service had begun it.
    keyring.known = before
    assert browser.get("/jobs").status_code == 200
    (person,) = keyring.known.people.values()
    over = replace(person, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    secret = browser.cookies[COOKIE]
    assert keyring.known.by_session(secret) == person
    assert replace(keyring.known, people={over.digest: over}).by_session(secret) is None
    with sessions.begin() as record:
        record.execute(update(SignIn).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    keyring.refresh()
    assert browser.get("/jobs").status_code == 401
    given = browser.post("/session", headers={"authorization": f"Bearer {key}"})
    assert (given.status_code, browser.get("/session").json()["key"]) == (201, "ci")


def test_a_provider_that_is_away_keeps_nobody_out_who_is_in(browser: httpx.Client, provider: IdentityProvider) -> None:
    assert browser.get("/sign-in").status_code == 200
    back = callback(browser)
    provider.status = 500
    answer = browser.get(back)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "provider_away", "5")
    assert browser.get("/jobs").status_code == 200
    provider.status = 200
    assert browser.get(back).status_code == 200


def test_a_provider_says_how_it_takes_the_secret_and_whether_it_names_itself(
    browser: httpx.Client, provider: IdentityProvider, app: FastAPI
) -> None:
    provider.described = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert browser.get("/sign-in").status_code == 200
    provider.described = {"authorization_response_iss_parameter_supported": True}
    app.state.services.provider.directory._description = None
    back = callback(browser)
    begun = browser.cookies[attempts.COOKIE]
    assert "another issuer" in browser.get(back).json()["detail"]
    show(browser, begun)
    assert browser.get(f"{back}&iss={provider.url}").status_code == 200


def test_a_secret_that_the_provider_does_not_know_is_said_so(browser: httpx.Client, app: FastAPI) -> None:
    known = app.state.services.provider
    known.client = replace(known.client, secret="wrong")  # noqa: S106 - the test's own
    answer = browser.get("/sign-in")
    assert (answer.status_code, "invalid_client" in answer.json()["detail"]) == (503, True)


def test_a_provider_that_fails_is_left_alone_for_a_while(browser: httpx.Client, provider: IdentityProvider) -> None:
    provider.status, provider.redirect = 302, f"{provider.url}/keys"
    answers = [browser.get("/sign-in") for _ in range(3)]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "provider_away")}
    assert provider.asked == ["GET /.well-known/openid-configuration"]


def test_keys_change_and_those_that_are_gone_are_good_no_longer(
    browser: httpx.Client, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert browser.get("/sign-in").status_code == 200
    old = provider.key
    provider.key = ECKey.generate_key("P-256", {"kid": "two"})
    # Somebody may send names of keys without end.
    assert browser.get("/sign-in").status_code == 403
    monkeypatch.setattr("api.sign_in.directory.REST_SECONDS", 0.0)
    assert browser.get("/sign-in").status_code == 200
    provider.token = IdentityProvider("", key=old).signed
    assert browser.get("/sign-in").status_code == 403


def test_where_browsers_come_by_tls_no_other_page_can_plant_the_cookie(set_for: SetFor, sessions: object) -> None:
    assert sessions
    settings = set_for(public_url="https://pets.example.org/", allowed_hosts="pets.example.org")
    app = create_app(settings, load=FakeClassifier.load)
    with TestClient(app, base_url="https://pets.example.org", follow_redirects=False) as client:
        begun = client.get("/sign-in")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://pets.example.org/sign-in/callback"]
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith(f"{attempts.AT_ROOT}=")
        assert [part in cookie for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/;")] == [True] * 4
        assert "Path=/;" in cookie
        planted = client.get("/jobs", headers={"cookie": f"{AT_ROOT}={'x' * 43}"})
        assert planted.status_code == 401
        assert client.get("/sign-in", headers={"host": "evil.example"}).status_code == 400


def test_without_a_provider_there_is_no_way_in_by_one(settings: object, set_for: SetFor) -> None:
    assert settings
    app = create_app(set_for(oidc_issuer="", oidc_client_id="", oidc_client_secret="", oidc_train_groups="",
                             oidc_admin_groups=""), load=FakeClassifier.load)  # fmt: skip
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/sign-in/provider").json() == {"name": None, "address": None}
        assert [client.get(path).status_code for path in ("/sign-in", "/sign-in/callback?code=x")] == [404, 404]
        assert client.get("/jobs").status_code == 200
