import json
import os
import time
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from store.artifacts import ArtifactStore
from store.db.aliases import set_alias
from store.db.lanes import keep_worker
from store.db.registry import register
from store.keys import run_key
from store.lanes import Lane
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient
from tests.patience import PATIENCE_SECONDS


def test_a_fresh_stack_lives_and_lacks_only_a_model(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")
    parts = answer.json()["parts"]
    assert parts.pop("model") == "no model is in production"
    assert parts == {"database": "ok", "broker": "ok", "artifacts": "ok", "disks": "ok"}


def test_with_a_model_everything_is_ready(client: TestClient, records: Records) -> None:
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert set(answer.json()["parts"].values()) == {"ok"}


def test_a_model_whose_files_are_gone_is_not_said_to_be_none(
    settings: Settings, records: Records, artifacts: ArtifactStore
) -> None:
    run = records.served()
    with records.sessions.begin() as session:
        set_alias(session, "production", register(session, run.id).version.id)
    artifacts.delete(run_key(run.id, "model.safetensors"))
    with TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost") as client:
        problem = client.get("/readyz").json()
    assert (problem["status"], problem["code"]) == (503, "unavailable")
    assert problem["parts"]["model"] == "the artifact store holds no runs/1/model.safetensors"
    assert problem["hint"].startswith("Check that ARTIFACTS_URL")


def test_readiness_and_figures_tell_of_each_lane_and_a_lack_of_workers_is_no_fault(
    client: TestClient, records: Records
) -> None:
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    records.run(records.dataset("others"))
    with records.sessions.begin() as session:
        keep_worker(session, "w", {Lane.LIGHT}, 60)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["lanes"] == {"train": {"workers": 0, "queued": 1}, "light": {"workers": 1, "queued": 0}}
    text = client.get("/metrics").text
    assert 'pedigree_workers{lane="light"} 1.0' in text
    assert 'pedigree_workers{lane="train"} 0.0' in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/jobs", "/metrics"])
def test_a_head_is_a_get_without_its_body(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert f'method="HEAD",route="{path}"' in client.get("/metrics").text


def test_a_head_of_a_stream_ends(client: TestClient, records: Records) -> None:
    _, job = records.run(records.dataset())
    head = client.head(f"/jobs/{job.id}/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/jobs", "GET, HEAD, OPTIONS, POST"),
        ("/jobs/1", "GET, HEAD, OPTIONS"),
        ("/predict", "OPTIONS, POST"),
        ("/models/aliases/best", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
    ],
)
def test_what_a_path_can_be_asked_for_is_allowed_whole(client: TestClient, path: str, allowed: str) -> None:
    options = client.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")
    refused = client.patch(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
    assert refused.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("setting", "value", "part"),
    [
        ("redis_url", "redis://127.0.0.1:1/0", "broker"),
        ("database_url", "postgresql+psycopg://nobody@127.0.0.1:1/none", "database"),
    ],
)
def test_a_part_that_is_away_is_named(settings: Settings, setting: str, value: str, part: str) -> None:
    app = create_app(settings.model_copy(update={setting: value}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.json()["parts"][part] == "does not answer"
        assert (answer.json().get("lanes") is None) == (part == "database")


def test_metrics_count_by_route_template_and_state(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    _, job = records.run(dataset)
    records.run(dataset)
    records.move(job, State.RUNNING)
    client.post("/models", json={"run": records.served(dataset).id, "alias": "production"})
    for run in (1, 2, 99):
        client.get(f"/runs/{run}")
    client.get("/somewhere/else")
    client.post("/predict", files={"file": jpeg()})
    text = client.get("/metrics").text
    assert 'pedigree_http_requests_total{method="GET",route="/runs/{run_id}",status="200"} 2.0' in text
    assert 'pedigree_http_requests_total{method="GET",route="/runs/{run_id}",status="404"} 1.0' in text
    assert "somewhere" not in text
    assert 'pedigree_jobs{lane="train",state="queued"} 1.0' in text
    assert 'pedigree_jobs{lane="train",state="running"} 1.0' in text
    assert 'pedigree_jobs{lane="train",state="failed"} 0.0' in text
    assert 'pedigree_jobs{lane="light",state="queued"} 0.0' in text
    assert 'pedigree_workers{lane="train"} 0.0' in text
    assert "pedigree_predict_batch_images_count 1.0" in text
    assert "pedigree_predict_queue_images 0.0" in text


def _operations(app: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    paths = app.openapi()["paths"]
    return [(path, method, operation) for path, methods in paths.items() for method, operation in methods.items()]


def test_openapi_reads_well_and_knows_the_problems(app: FastAPI) -> None:
    ids = [operation["operationId"] for _, _, operation in _operations(app)]
    assert len(ids) == len(set(ids))
    assert {"create_a_job", "watch_a_job", "get_the_confusion", "predict", "register_a_model"} <= set(ids)
    for path, method, operation in _operations(app):
        if path == "/healthz":
            continue
        assert operation["summary"]
        assert "application/problem+json" in operation["responses"]["422"]["content"], (path, method)
    assert "HTTPValidationError" not in json.dumps(app.openapi())


def test_every_reference_of_the_openapi_document_is_there(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]
    assert {"Problem", "FieldProblem", "BuiltinRequest", "TrainRequest", "FineTune"} <= set(schemas)

    def references(part: Any) -> list[str]:  # noqa: ANN401 - any JSON
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [found for value in part.values() for found in references(value)]
        return [found for value in part for found in references(value)] if isinstance(part, list) else []

    missing = {found for found in references(document) if found.rpartition("/")[2] not in schemas}
    assert missing == set()


def test_openapi_holds_examples_of_a_job(app: FastAPI) -> None:
    examples = app.openapi()["components"]["schemas"]["TrainRequest"]["examples"]
    assert examples[0]["dataset"] == "oxford-iiit-pet"


def test_what_a_killed_api_left_in_its_cache_goes_with_the_next_start(settings: Settings) -> None:
    old, young = (settings.cache / "uploads" / name for name in ("upload-a_b1c2d3", "upload-e_f4g5h6"))
    old.parent.mkdir(parents=True)
    for left in (old, young):
        left.write_bytes(b"half an archive")
    os.utime(old, (0, 0))
    with TestClient(create_app(settings, load=FakeClassifier.load), base_url="http://localhost"):
        ends = time.monotonic() + PATIENCE_SECONDS
        while old.exists() and time.monotonic() < ends:
            time.sleep(0.01)
    assert (old.exists(), young.exists()) == (False, True)
