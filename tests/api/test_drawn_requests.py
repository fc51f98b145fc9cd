"""The OpenAPI document and the service say the same, whoever asks and whatever is asked."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis import BaseSchema

from api.app import create_app
from api.http.document import ANY_BODY
from api.http.scopes import SCOPES, Rule
from store.access import Scope
from store.settings import Settings
from tests.api.datasets.test_uploads_tus import begin
from tests.api.drawn_requests import CONFIG, EXAMPLES, TUS, Known, disagreements, drawn, operations
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.conftest import bearer, make  # noqa: F401 - a fixture
from tests.api.kept.conftest import ask
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient
from tests.ml.serve.trained import trained

FILLED = {"artifacts": "model.json", "datasets": "pets", "figures": "losses"}
"""What ``{name}`` is a name of, by the part of the path before it."""
KEYS: list[Scope | None] = [None] if EXAMPLES == 1 else [None, *Scope]
"""What each scope may ask, ``tests/api/http/test_keys.py`` tries already: here it is asked at length."""
if EXAMPLES > 1:
    FILLED["models"] = "production"  # an export takes a process of its own, for many seconds


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_predictions": "photos"})


@pytest.fixture
def known(client: TestClient, app: FastAPI, records: Records, tmp_path: Path) -> Known:
    """One of each thing, and for each path the values that lead to it."""
    dataset = records.dataset_with_photos(tmp_path / "photos", "pets")
    run = records.finished(dataset)
    for file in trained(tmp_path / "trained", vocab=tuple(VOCAB)).iterdir():
        records.artifact(run, file.name, file.read_bytes())
    assert client.post("/models", json={"run": run.id, "alias": "production"}).is_success
    places = {"run_id": run.id, "job_id": 1, "version": 1, "item": 0, "key_id": 1, "alias": "production"}
    places |= {"prediction": ask(client)["id"], "upload_id": begin(client, 100).rpartition("/")[2]}
    return {path: _filled(path, places) for path in app.openapi()["paths"] if "{" in path}


def _filled(path: str, places: dict[str, Any]) -> dict[str, Any]:
    parts = path.split("/")
    named = [(before, part.strip("{}")) for before, part in itertools.pairwise(parts) if "{" in part]
    return {name: places[name] if name in places else FILLED.get(before, "x") for before, name in named}


def schema_of(app: FastAPI) -> BaseSchema:
    """The document without its keys: who may ask is tried by itself."""
    document = {name: part for name, part in app.openapi().items() if name != "security"}
    return schemathesis.openapi.from_dict(document, config=CONFIG)


@pytest.mark.thorough
def test_answers_are_as_the_document_says(client: TestClient, app: FastAPI, known: Known) -> None:
    cases = (case for operation in operations(schema_of(app)) for case in drawn(operation, known))
    found = disagreements(client, cases, TUS)
    assert not found, "\n\n".join(found.values())


@contextmanager
def asked_with(settings: Settings, key: str) -> Iterator[tuple[TestClient, BaseSchema, dict[str, str]]]:
    app = create_app(settings, load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client, schema_of(app), TUS | (bearer(key) if key else {})


@pytest.mark.parametrize("scope", KEYS)
def test_with_and_without_a_key_answers_are_as_the_document_says(
    scope: Scope | None,
    known: Known,
    settings: Settings,
    make: Callable[..., str],  # noqa: F811
) -> None:
    make("is revoked", Scope.PREDICT)  # key 1, which the paths name
    key = make("asks", scope or Scope.ADMIN)
    with asked_with(settings, key if scope else "") as (client, schema, headers):
        found: dict[str, str] = {}
        refused = set()
        for operation in operations(schema):
            answered: list[int] = []
            cases = drawn(operation, known, only_known=True)
            found |= disagreements(client, cases, headers, answered)
            if set(answered) <= {401, 403}:
                refused.add((operation.method.upper(), operation.path))
    assert not found, "\n\n".join(found.values())
    assert refused == {one for one in SCOPES if _is_refused(SCOPES[one], scope)} & _documented(schema)


def _is_refused(needed: Scope | Rule, scope: Scope | None) -> bool:
    if not isinstance(needed, Scope):
        return needed is not Rule.OPEN
    return scope is None or not scope.covers(needed)


def _documented(schema: BaseSchema) -> set[tuple[str, str]]:
    return {(operation.method.upper(), operation.path) for operation in operations(schema)}


def test_the_document_says_who_needs_no_key_and_what_any_body_may_be_answered(app: FastAPI) -> None:
    document = app.openapi()
    told = [(m.upper(), path, one) for path, methods in document["paths"].items() for m, one in methods.items()]
    assert {(method, path) for method, path, one in told if one.get("security") == []} == {
        one for one in SCOPES if SCOPES[one] is Rule.OPEN
    } & {(method, path) for method, path, _ in told}
    assert ("GET", "/healthz") in {(method, path) for method, path, one in told if one.get("security") == []}
    with_body = [one for _, _, one in told if "requestBody" in one]
    assert len(with_body) > 10
    assert all({str(status) for status in ANY_BODY} <= one["responses"].keys() for one in with_body)
    assert all("429" in one["responses"] for _, _, one in told)
