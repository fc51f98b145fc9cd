"""Spans as OTLP, OpenTelemetry's protocol, has them: one message for a batch."""

import os
import socket
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

from store.tracing import Span, Value

_SCOPE = InstrumentationScope(name="pedigree")
_SAMPLED = 1


def resource_of(service: str) -> Resource:
    """Whose spans they are: this process, under the name of its service."""
    about = {
        "service.name": service,
        "service.version": version("pedigree"),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    return Resource(attributes=_pairs(about))


def message_of(resource: Resource, batch: Sequence[Span]) -> bytes:
    """The message that tells of a batch."""
    scoped = otlp.ScopeSpans(scope=_SCOPE, spans=[_written(span) for span in batch])
    told = [otlp.ResourceSpans(resource=resource, scope_spans=[scoped])]
    message: bytes = ExportTraceServiceRequest(resource_spans=told).SerializeToString()
    return message


def _written(span: Span) -> otlp.Span:
    attributes = span.attributes if span.error is None else {**span.attributes, "error.type": span.error}
    written = otlp.Span(
        trace_id=bytes.fromhex(span.place.trace),
        span_id=bytes.fromhex(span.place.span),
        flags=_SAMPLED,
        name=span.name,
        kind=otlp.Span.SpanKind.ValueType(span.kind),
        start_time_unix_nano=_nanoseconds(span.began),
        end_time_unix_nano=_nanoseconds(max(span.began, span.ended)),
        attributes=_pairs(attributes),
    )
    if span.parent is not None:
        written.parent_span_id = bytes.fromhex(span.parent.span)
    if span.linked is not None:
        linked = otlp.Span.Link(trace_id=bytes.fromhex(span.linked.trace), span_id=bytes.fromhex(span.linked.span))
        written.links.append(linked)
    if span.error is not None:
        written.status.code = otlp.Status.STATUS_CODE_ERROR
    return written


def _pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def _any(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
