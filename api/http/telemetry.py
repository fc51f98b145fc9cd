"""Prometheus figures: a registry of its own for each app, so that many apps can live in one process."""

import time
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.work_telemetry import WorkTelemetry
from ml.errors import ImageRejected
from store.errors import AppError
from store.lanes import Lane
from store.states import State

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
SERVER_FAULT = 500
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

CLIENT_LEFT = "client_left"
"""The code of the error that ends the work for a client that has left."""


class Telemetry:
    """What the service counts about itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route"]
        self.requests = Counter(
            "pedigree_http_requests", "Answers by route and status", [*labels, "status"], registry=self.registry
        )
        self.latency = Histogram(
            "pedigree_http_request_seconds",
            "Time until the answer's first byte",
            labels,
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.jobs = Gauge("pedigree_jobs", "Jobs by lane and state", ["lane", "state"], registry=self.registry)
        self.workers = Gauge(
            "pedigree_workers", "Living workers that take jobs of a lane", ["lane"], registry=self.registry
        )
        self.predict_waiting = Gauge(
            "pedigree_predict_queue_images", "Images accepted and not yet answered", registry=self.registry
        )
        self.predict_batches = Histogram(
            "pedigree_predict_batch_images",
            "Images in one forward pass",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self.predict_forward = Histogram(
            "pedigree_predict_forward_seconds",
            "Time of one forward pass, with its wait in the engine's own queue",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )

        self.version_requests = Counter(
            "pedigree_predict_requests",
            "Requests for predictions by the version that answered, and how they ended",
            ["version", "outcome"],
            registry=self.registry,
        )
        self.version_seconds = Histogram(
            "pedigree_predict_request_seconds",
            "Time from the choice of the version to its answer, of requests that were answered",
            ["version"],
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.version_top = Summary(
            "pedigree_predict_top_probability",
            "Probability of the first breed of each photo; its sum by its count is the mean",
            ["version"],
            registry=self.registry,
        )
        self.work = WorkTelemetry(self.registry)
        self.models = Gauge(
            "pedigree_models_in_memory",
            "Models in memory, those too that only requests under way still hold",
            registry=self.registry,
        )

    @contextmanager
    def answering(self, version: int) -> Iterator[None]:
        """Count and time a request for predictions under the version that answers it."""
        begun = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.version_requests.labels(version, _outcome_of(error)).inc()
            raise
        self.version_requests.labels(version, "answered").inc()
        self.version_seconds.labels(version).observe(time.perf_counter() - begun)

    def note_top(self, version: int, probability: float) -> None:
        """Take the probability of a photo's first breed."""
        self.version_top.labels(version).observe(probability)

    def set_lanes(self, jobs: Mapping[tuple[Lane, str], int], workers: Mapping[Lane, int]) -> None:
        """Take the jobs' count by lane and state, and the workers' by lane; what is not there is 0."""
        for lane in Lane:
            self.workers.labels(lane).set(workers.get(lane, 0))
            for state in State:
                self.jobs.labels(lane, state).set(jobs.get((lane, state), 0))

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


def _outcome_of(error: BaseException) -> str:
    """Whether a request failed by the service's fault, was refused for its own, or its client left."""
    if isinstance(error, CancelledError | ClientDisconnect) or getattr(error, "code", None) == CLIENT_LEFT:
        return "left"
    is_refusal = isinstance(error, ImageRejected) or (isinstance(error, AppError) and error.status < SERVER_FAULT)
    return "refused" if is_refusal else "failed"


class RequestTimer:
    """ASGI middleware: counts and times each request under its route's template, never under the raw path."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app = app
        self.telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        seen = False

        async def send_and_count(message: Message) -> None:
            nonlocal seen
            if message["type"] == "http.response.start" and not seen:
                seen = True
                self._count(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        try:
            await self.app(scope, receive, send_and_count)
        except Exception:
            # The answer, a 500, is made further out.
            if not seen:
                self._count(scope, 500, time.perf_counter() - begun)
            raise

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self.telemetry.requests.labels(method, route, status).inc()
        self.telemetry.latency.labels(method, route).observe(seconds)
