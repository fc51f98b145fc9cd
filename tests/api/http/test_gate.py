import json
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient

TRAIN = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "batch_size": 4}}


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "localhost.:8000", "127.0.0.1:8000", "[::1]:8000"]
)
def test_our_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/jobs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "[::1"])
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/jobs", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (400, "host_refused")
    assert answer.headers["content-type"] == "application/problem+json"


def test_further_names_are_a_setting(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"allowed_hosts": "pedigree, *.example.org"}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://pedigree") as client:
        assert client.get("/jobs").status_code == 200
        assert client.get("/jobs", headers={"host": "a.example.org"}).status_code == 200
        assert client.get("/jobs", headers={"host": "localhost"}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[evil"},
        {"origin": "http://]"},
        {"origin": ""},
        {"origin": "http://localhost:9999"},
        {"origin": "https://localhost.evil.example"},
        {"origin": "https://localhost@evil.example"},
        {"origin": "http://[::1"},
        {"origin": "http://localhost:99999"},
        {"origin": "https://pets.example.org:9999", "x-forwarded-host": "pets.example.org:8443"},
        {"origin": "https://localhost:8443", "sec-fetch-site": "same-site"},
        {"origin": "http://localhost", "host": "localhost:443"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(client: TestClient, records: Records, headers: dict[str, str]) -> None:
    records.dataset()
    answer = client.post("/jobs", json=TRAIN, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
    assert "own page" in answer.json()["hint"]
    assert client.get("/jobs").json()["items"] == []


def test_our_own_page_may_post(client: TestClient, records: Records) -> None:
    records.dataset()
    headers = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    assert client.post("/jobs", json=TRAIN, headers=headers).status_code == 202


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("localhost:443", {"origin": "https://localhost"}),
        ("localhost:80", {"origin": "http://localhost"}),
        ("localhost", {"origin": "https://localhost:443"}),
        ("localhost", {"origin": "http://localhost:80"}),
        ("localhost", {"origin": "https://localhost"}),
        ("LocalHost.", {"origin": "http://localhost"}),
        ("[::1]:443", {"origin": "https://[::1]"}),
        ("127.0.0.1:8123", {"origin": "http://127.0.0.1:8123"}),
        # The port is only in what the browser says.
        ("localhost", {"origin": "https://localhost:8443"}),
        ("localhost:8123", {"origin": "https://localhost:8443", "sec-fetch-site": "same-origin"}),
        ("localhost:8000", {"origin": "https://pets.example.org", "x-forwarded-host": "pets.example.org"}),
        ("localhost:8000", {"origin": "https://pets.example.org:8443", "x-forwarded-host": "pets.example.org:8443"}),
    ],
)
def test_our_own_page_may_post_through_a_proxy(
    client: TestClient, records: Records, host: str, headers: dict[str, str]
) -> None:
    records.dataset()
    assert client.post("/jobs", json=TRAIN, headers={"host": host, **headers}).status_code == 202


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["10.0.0.5:8123", "pedigree-api", "[fd00::5]:8123", ""])
def test_who_balances_or_watches_asks_by_address(client: TestClient, path: str, host: str) -> None:
    assert client.get(path, headers={"host": host}).status_code in {200, 503}
    assert client.head(path, headers={"host": host}).status_code in {200, 503}
    assert client.post(path, headers={"host": host}).json()["code"] == "host_refused"
    assert client.get(f"{path}/", headers={"host": host}).json()["code"] == "host_refused"


@pytest.mark.parametrize("path", ["/jobs", "/datasets", "/models", "/predict"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "identity, gzip"])
def test_a_body_that_is_encoded_is_415_and_the_encoding_is_named(client: TestClient, path: str, encoding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    answer = client.post(path, content=b"\x1f\x8b", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert repr(encoding) in answer.json()["detail"]
    assert answer.json()["hint"] == "Send it as it is, without Content-Encoding."
    assert answer.headers["accept-encoding"] == "identity"


def test_a_body_that_is_said_to_be_as_it_is_is_read(client: TestClient, records: Records) -> None:
    records.dataset()
    assert client.post("/jobs", json=TRAIN, headers={"content-encoding": "Identity"}).status_code == 202


def test_every_answer_carries_the_policy(client: TestClient) -> None:
    for path in ("/ui/", "/healthz", "/nowhere", "/jobs/x"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/ui/", "/ui/assets/frame/page.css", "/ui/assets/frame/page.js"])
def test_the_page_can_be_asked_for_its_head(client: TestClient, path: str) -> None:
    answer, whole = client.head(path), client.get(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize("path", ["/jobs", "/datasets/builtin"])
@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_body_over_the_limit_is_413_with_and_without_a_length(client: TestClient, path: str, kind: str) -> None:
    body = json.dumps({**TRAIN, "name": "x" * 2_000_000}).encode()
    headers = {"content-type": kind}

    def chunks() -> Any:  # noqa: ANN401 - a generator of bytes
        yield from (body[start : start + 65536] for start in range(0, len(body), 65536))

    for content in (body, chunks()):
        answer = client.post(path, content=content, headers=headers)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["title"]) == (
            413,
            "payload_too_large",
            "Payload too large",
        )
        assert problem["hint"] == "Send a smaller body."
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("PUT", "/jobs", 405, "method_not_allowed")],
)
def test_no_such_route_is_a_problem_too(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"kind": "train", "dataset": "pets", "config": {"base_lr": NaN}}',
        b'{"kind": "train", "dataset": "pets", "config": {"base_lr": Infinity}}',
        b'{"kind": "train", "dataset": "pets", "config": {"min_scale": NaN}}',
        b'{"kind": "train", "dataset": "pets", "config": {"augment": {"max_rotate": -Infinity}}}',
        b'{"kind": "train", "dataset": "pets", "from_run": ' + b"9" * 400 + b"}",
        b'{"kind": "train", "dataset": "pets", "from_run": ' + b"9" * 9000 + b"}",
        b'{"kind": "train", "dataset": "pets", "config": ' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b"}",
        b"[" * 100_000,
        b'{"kind": "train", "dataset": "pets", "name": "\\ud800"}',
        b'{"kind": "train", "dataset": "pets", "name": "a\\u0000b"}',
        b'{"kind": "train", "dataset": "pets", "\\ud800": 1}',
        b'{"kind": "\\ud800", "dataset": "pets"}',
        b'{"kind": {"a": 1}}',
        b'{"kind": "train", "dataset": "pets", "config": {"recipe": ["\\ud800"]}}',
        b'{"kind": "train", "dataset": "pets", "config": {"recipe": "phases", "phases": []}}',
    ],
)
def test_a_hostile_body_is_a_problem_and_never_a_defect(client: TestClient, records: Records, body: bytes) -> None:
    records.dataset()
    answer = client.post("/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert client.get("/jobs").json()["items"] == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_json_under_another_name_is_refused(client: TestClient, records: Records, content_type: str) -> None:
    # Browsers send these three without asking the service first.
    records.dataset()
    answer = client.post("/jobs", content=json.dumps(TRAIN), headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.json()["hint"] == "Send JSON, with the header Content-Type: application/json."
    assert client.get("/jobs").json()["items"] == []


def test_a_long_value_is_shown_in_short(client: TestClient) -> None:
    answer = client.post("/jobs", json={**TRAIN, "name": "x" * 5000})
    assert len(answer.json()["errors"][0]["value"]) <= 80


def test_a_defect_is_a_500_without_its_traceback(
    app: FastAPI, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "a secret of this"
        raise RuntimeError(message)

    monkeypatch.setattr("api.routes.models.list_versions", fail)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/models")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "secret" not in answer.text
        assert "a secret of this" in caplog.text
        assert 'status="500"' in client.get("/metrics").text


def test_a_database_out_of_reach_is_503(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    with TestClient(create_app(away, load=FakeClassifier.load), base_url="http://localhost") as client:
        for path in ("/jobs", "/runs/1", "/datasets", "/jobs/1/events"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 200
        assert "database" in client.get("/readyz").json()["detail"]
