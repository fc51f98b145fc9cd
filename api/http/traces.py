"""Each request as a span, within the trace that its client names: its method, its route's template, how it ended."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.telemetry import KNOWN_METHODS, SERVER_FAULT
from ml.late import Late
from store.request_ids import request_id
from store.settings import Settings
from store.traceparent import HEADER
from store.tracing import Kind, Sending, dropped_spans, span, start_tracing

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: a trace of each would hide those of people."""
SENDING: Late[Sending] = Late("store.span_sending", "SpanSender")
"""Brought in where a collector is set."""


def trace(settings: Settings) -> None:
    """Tell the settings' collector of this process's spans."""
    start_tracing(settings, "pedigree-api", SENDING.get)


class RequestSpans:
    """ASGI middleware, which must know the request's id: nothing of the address is told, and nothing that was sent."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within a span; it ends with the answer's last byte."""
        if scope["type"] != "http" or scope["path"].removeprefix(self.root_path) in PROBES:
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        given = Headers(scope=scope).getlist(HEADER)
        about = {"http.request.method": method, "pedigree.request.id": request_id() or ""}
        with span(method, about, kind=Kind.SERVER, parent=given[0] if len(given) == 1 else None) as opened:

            async def send_and_tell(message: Message) -> None:
                if message["type"] == "http.response.start":
                    opened.note({"http.response.status_code": message["status"]})
                    if message["status"] >= SERVER_FAULT:
                        opened.fail(str(message["status"]))
                await send(message)

            try:
                await self.app(scope, receive, send_and_tell)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    opened.name = f"{method} {route}"
                    opened.note({"http.route": route})


class DroppedSpans(Collector):
    """The figure of those that no collector got."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        text = "Spans of this process that were dropped, as no collector took them"
        yield CounterMetricFamily("pedigree_spans_dropped", text, value=dropped_spans())
