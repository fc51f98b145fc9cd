"""Pages of other sites: none may, but those that a setting names."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from api.app import create_app
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.test_gate import TRAIN
from tests.api.records import Records
from tests.api.web import TestClient

FRIEND = "https://pets.example.org"
ASKED = {"origin": FRIEND, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
TOLD = "access-control-allow-origin"


@pytest.fixture
def friendly(settings: Settings) -> Iterator[TestClient]:
    named = settings.model_copy(update={"cors_origins": f"{FRIEND}, HTTP://Localhost:3000"})
    app = create_app(named, load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_nobody_may_where_nobody_is_named(client: TestClient) -> None:
    asked = client.options("/jobs", headers=ASKED)
    read = client.get("/jobs", headers={"origin": FRIEND})
    assert (asked.status_code, read.status_code) == (204, 200)
    assert not [name for answer in (asked, read) for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [FRIEND, "http://localhost:3000"])
def test_a_page_of_a_named_origin_asks_and_reads(friendly: TestClient, records: Records, origin: str) -> None:
    asked = friendly.options("/jobs", headers={**ASKED, "origin": origin})
    assert (asked.status_code, asked.headers[TOLD], asked.content) == (204, origin, b"")
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert {"Content-Type", "Idempotency-Key"} <= set(asked.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in asked.headers
    records.dataset()
    answer = friendly.post("/jobs", json=TRAIN, headers={"origin": origin, "sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.headers[TOLD]) == (202, origin)
    assert answer.headers["vary"] == "Origin"
    assert "Location" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


NOT_FOR_PAGES = {
    "content-encoding",
    "content-security-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "vary",
    "x-content-type-options",
    TOLD,
    "access-control-expose-headers",
}
"""For the browser itself."""
ALWAYS_READ = {"cache-control", "content-length", "content-type", "last-modified"}
"""By the Fetch standard, whatever is exposed."""


def test_it_reads_every_header_that_is_meant_for_it(friendly: TestClient, records: Records) -> None:
    asks = {"origin": FRIEND, "access-control-request-method": "GET", "access-control-request-headers": "range"}
    assert "Range" in friendly.options("/runs", headers=asks).headers["access-control-allow-headers"]
    page, run = {"origin": FRIEND, "sec-fetch-site": "cross-site"}, records.served()
    records.run(records.dataset())
    model = f"/runs/{run.id}/artifacts/model.safetensors"
    answers = [
        friendly.get("/runs?limit=1", headers={**page, "accept": "text/csv"}),
        friendly.post("/jobs", json=TRAIN, headers=page),
        friendly.get(model, headers=page),
        friendly.get("/docs", headers={**page, "range": "bytes=0-3"}),
        friendly.patch("/jobs", headers=page),
        friendly.get(f"/runs/{run.id}/predictions", headers=page),
    ]
    read = {name for answer in answers for name in answer.headers} - NOT_FOR_PAGES - ALWAYS_READ
    assert read >= {"allow", "content-disposition", "etag", "link", "location", "ratelimit", "ratelimit-policy"}
    assert read >= {"accept-ranges", "content-range", "x-request-id"}
    for answer in answers:
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert read | {"retry-after", "www-authenticate"} <= set(exposed)


def test_its_errors_can_be_read_too(friendly: TestClient) -> None:
    refused = friendly.post("/jobs", content=b"", headers={"origin": FRIEND, "content-encoding": "gzip"})
    missing = friendly.get("/runs/7", headers={"origin": FRIEND})
    assert [(answer.status_code, answer.headers[TOLD]) for answer in (refused, missing)] == [
        (415, FRIEND),
        (404, FRIEND),
    ]


@pytest.mark.parametrize("origin", ["http://pets.example.org", f"{FRIEND}:8443", f"{FRIEND}.evil.example", "null", "*"])
def test_no_other_page_may(friendly: TestClient, origin: str) -> None:
    asked = friendly.options("/jobs", headers={**ASKED, "origin": origin})
    assert TOLD not in asked.headers
    assert asked.headers["vary"] == "Origin"
    answer = friendly.post("/jobs", json=TRAIN, headers={"origin": origin, "sec-fetch-site": "cross-site"})
    assert (answer.status_code, TOLD in answer.headers) == (403, False)


def test_a_named_origin_does_not_open_other_hosts(friendly: TestClient) -> None:
    answer = friendly.post("/jobs", json=TRAIN, headers={"origin": FRIEND, "host": "evil.example"})
    assert answer.json()["code"] == "host_refused"


@pytest.mark.parametrize(
    "value", ["*", "pets.example.org", f"{FRIEND}/", f"{FRIEND},*", "null", "https://*.example.org"]
)
def test_what_is_no_origin_is_no_setting(settings: Settings, value: str) -> None:
    values = {**settings.model_dump(), "cors_origins": value}
    with pytest.raises(ValidationError, match="is not an origin"):
        Settings.model_validate(values)
