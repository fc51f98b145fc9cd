"""Traces of the worker's processes; what sends them is brought in where a collector is set."""

from ml.late import Late
from store.settings import Settings
from store.tracing import Sending, start_tracing

SENDING: Late[Sending] = Late("store.span_sending", "SpanSender")


def trace(settings: Settings, service: str) -> None:
    """Tell the settings' collector of this process's spans, under the name of its service."""
    start_tracing(settings, service, SENDING.get)
