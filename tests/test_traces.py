"""A request's trace, from the client through API and worker to its job's process, as a collector gets it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import delete
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from store.artifacts import ArtifactStore
from store.db.jobs import claim, create_job
from store.db.models import Job
from store.queue import make_celery
from store.settings import Settings
from store.states import State
from store.tracing import stop_tracing
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records, jpeg
from tests.api.web import TestClient
from tests.collector import Collector, collecting
from tests.conftest import REPOSITORY, environment_of
from tests.worker.attempts import Stack
from tests.worker.pictures import archive
from worker import child, lifecycle
from worker.attempt_span import attempt_span
from worker.lifecycle import Host, run_job
from worker.traces import trace

CLIENTS_TRACE, CLIENTS_SPAN = "a" * 32, "b" * 16
CALLER = {
    "traceparent": f"00-{CLIENTS_TRACE}-{CLIENTS_SPAN}-01",
    "tracestate": "shop=whoever",
    "X-Request-Id": "edge-7",
}
TRAINING = {
    "recipe": "one_cycle",
    "arch": "mobilenet_v3_small",
    "pretrained": False,
    "presize": 40,
    "size": 32,
    "batch_size": 4,
    "epochs": 2,
    "freeze": False,
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def settings(settings: Settings, collector: Collector, tmp_path: Path) -> Settings:
    """Of a service that is traced."""
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer of-the-collector\n")
    return settings.model_copy(
        update={"otlp_endpoint": collector.url, "otlp_headers": str(headers), "lease_seconds": 600.0}
    )


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings, load=FakeClassifier.load)


@pytest.fixture
def host(settings: Settings, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch) -> Host:
    """A worker in this process; its jobs' processes are real ones."""
    monkeypatch.setattr(lifecycle, "LIGHT_NICENESS", 0)
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    return Host(settings=settings, sessions=sessions, celery=make_celery(settings), stopping=threading.Event())


def work_off(stack: Stack, job_id: int) -> None:
    """An attempt at a queued job: all is as with a worker but the processes."""
    with stack.sessions.begin() as session:
        job = claim(session, job_id, worker="here", lease_seconds=600)
        assert job is not None
    with attempt_span(stack.sessions, job):
        attempt = stack.attempt(job_id, job.attempt)
        assert child._run(attempt) == 0
        attempt.reporter.end_stage()


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


def test_the_jobs_of_two_requests_are_two_trees_with_nothing_in_them_that_anybody_sent(
    app: FastAPI,
    host: Host,
    artifacts: ArtifactStore,
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "give_way", lambda _: None)
    with client_of(app) as client:
        form = {"name": "lodgers", "regex": r"(.+)_\d+.jpg$"}
        files = {"archive": ("holiday.zip", archive(per_breed=12))}
        imported = client.post("/datasets", data=form, files=files, headers=CALLER)
        assert imported.status_code == 202, imported.text
        run_job(host, imported.json()["id"])
        trained = client.post("/jobs", json={"kind": "train", "dataset": "lodgers", "config": TRAINING})
        assert trained.status_code == 202, trained.text
        work_off(Stack(host.settings, host.sessions, artifacts, tmp_path / "work"), trained.json()["id"])
        client.get("/runs?tag=burglars", headers={"Authorization": "Bearer pdg_nobodys"})

    asked = collector.one("POST /datasets")
    assert (asked.trace, asked.parent, asked.service) == (CLIENTS_TRACE, CLIENTS_SPAN, "pedigree-api")
    assert asked.attributes == {
        "http.request.method": "POST",
        "http.route": "/datasets",
        "http.response.status_code": 202,
        "pedigree.request.id": "edge-7",
    }
    assert collector.below(asked) == ["job import"]
    queued = collector.one("job import")
    assert collector.below(queued) == ["attempt import", "queued"]
    attempted = collector.one("attempt import")
    assert attempted.attributes == {
        "pedigree.job.id": imported.json()["id"],
        "pedigree.job.kind": "import",
        "pedigree.job.lane": "light",
        "pedigree.job.attempt": 1,
        "pedigree.job.state": State.SUCCEEDED,
        "process.exit.code": 0,
    }
    assert {"unpack", "scan", "store"} <= set(collector.below(attempted))
    assert collector.one("unpack").service == "pedigree-job"
    _look_at_the_training(collector)
    assert collector.one("GET /runs").attributes["http.response.status_code"] == 200
    told = b"".join(collector.bodies)
    for theirs in (b"lodgers", b"holiday", b"Birman", b"burglars", b"nobodys", b"whoever", b"jpg"):
        assert theirs not in told
    assert collector.paths == {"/v1/traces"}
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer of-the-collector"}


def _look_at_the_training(collector: Collector) -> None:
    learned = collector.one("attempt train")
    assert learned.trace == collector.one("POST /jobs").trace != CLIENTS_TRACE
    assert collector.one("job train").parent == collector.one("POST /jobs").id
    assert learned.parent == collector.one("job train").id
    epochs = collector.named("epoch")
    assert {(epoch.trace, epoch.parent) for epoch in epochs} == {(learned.trace, learned.id)}
    assert [epoch.attributes["pedigree.epoch"] for epoch in epochs] == [0, 1]
    assert all(0 < epoch.seconds < learned.seconds for epoch in epochs)
    assert all(float(epoch.attributes["pedigree.images_per_second"]) > 0 for epoch in epochs)


def test_a_resumed_job_goes_on_in_the_trace_of_who_resumed_it_and_names_the_first(
    app: FastAPI,
    settings: Settings,
    sessions: sessionmaker[Session],
    artifacts: ArtifactStore,
    collector: Collector,
    tmp_path: Path,
) -> None:
    stack = Stack(settings, sessions, artifacts, tmp_path / "work")
    with client_of(app) as client:
        form = {"name": "lodgers", "by_folder": "true"}
        broken = {"archive": ("x.zip", b"PK\x03\x04 broken")}
        job = client.post("/datasets", data=form, files=broken).json()["id"]
        work_off(stack, job)
        assert client.post(f"/jobs/{job}/resume", headers=CALLER).status_code == 202
        work_off(stack, job)
    first, second = collector.named("attempt import")
    assert (first.is_error, first.attributes["error.type"]) == (True, "archive_rejected")
    assert second.trace == CLIENTS_TRACE != first.trace
    queued, again = collector.named("job import")
    assert (first.parent, second.parent) == (queued.id, again.id)
    assert (queued.links, again.links) == ((), (queued.id,))
    assert again.parent == collector.one("POST /jobs/{job_id}/resume").id


def test_a_job_that_was_deleted_meanwhile_costs_its_trace_and_not_its_worker(
    settings: Settings, sessions: sessionmaker[Session], collector: Collector
) -> None:
    trace(settings, "pedigree-worker")
    with sessions.begin() as session:
        job_id = create_job(session, kind="import", max_attempts=3).id
    with sessions.begin() as session:
        job = claim(session, job_id, worker="here", lease_seconds=600)
        assert job is not None
    with attempt_span(sessions, job), sessions.begin() as session:
        session.execute(delete(Job))
    stop_tracing()
    assert "pedigree.job.state" not in collector.one("attempt import").attributes


def test_requests_are_told_by_their_routes_and_only_the_share_that_is_asked_for(
    settings: Settings, collector: Collector, sessions: sessionmaker[Session], artifacts: ArtifactStore
) -> None:
    few = settings.model_copy(update={"trace_share": 0.0, "otlp_headers": ""})
    run = Records(sessions, artifacts).served()
    wanted, unwanted = CALLER, CALLER | {"traceparent": CALLER["traceparent"][:-1] + "0"}
    with client_of(create_app(few, load=FakeClassifier.load)) as client:
        client.post("/models", json={"run": run.id, "alias": "production"})
        client.get("/jobs/1", headers=unwanted)
        client.get("/jobs/1", headers=[("traceparent", CALLER["traceparent"])] * 2)
        for path in ("/jobs/17", "/nowhere/mine", "/healthz", "/metrics"):
            client.get(path, headers=wanted)
        assert client.post("/predict", files=[("file", jpeg())] * 2, headers=wanted).status_code == 200
        assert "pedigree_spans_dropped_total 0.0" in client.get("/metrics").text
    told = [(span.name, span.attributes["http.response.status_code"], span.is_error) for span in collector.spans]
    assert told == [("GET /jobs/{job_id}", 404, False), ("GET", 404, False), ("POST /predict", 200, False)]
    predicted = collector.one("POST /predict").attributes
    assert (predicted["pedigree.photos"], predicted["pedigree.version"]) == (2, 1)
    assert all(float(predicted[f"pedigree.{part}_seconds"]) > 0 for part in ("decode", "queue", "forward"))


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    code = """
import sys
import api.http.traces, cli.main, worker.lifecycle, worker.reporter, worker.traces
from store.tracing import dropped_spans, span, start_tracing, stop_tracing
class Settings:
    otlp_endpoint = ""
start_tracing(Settings, "pedigree-api", None)
with span("x", {}) as opened:
    assert (opened.traceparent, opened.is_told, dropped_spans()) == (None, False, 0)
stop_tracing()
brought = {name for name in sys.modules if name.startswith(("opentelemetry.proto", "google.protobuf", "store.span"))}
assert not brought, brought
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert ended.returncode == 0, ended.stderr
