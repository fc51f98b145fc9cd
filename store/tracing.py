"""Traces: where the time of a request goes, and that of the job that it queues, told to an OpenTelemetry collector.

All that the service traces goes through here. Where the settings name no collector nothing happens; what sends spans is
brought in by ``start_tracing`` alone. What is told of a span are names and numbers of ours, never what somebody sent.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from store.settings import Settings
from store.traceparent import Place

log = logging.getLogger(__name__)

Value = str | int | float | bool
Attributes = Mapping[str, Value]


class Kind(IntEnum):
    """What a span is to the spans around it; the numbers are OTLP's."""

    INTERNAL = 1
    SERVER = 2
    PRODUCER = 4
    CONSUMER = 5


@dataclass(kw_only=True)
class Span:
    """Something that takes time; times are seconds of the world's clock."""

    name: str
    kind: Kind = Kind.INTERNAL
    place: Place
    parent: Place | None = None
    linked: Place | None = None
    began: float
    ended: float = 0.0
    attributes: dict[str, Value] = field(default_factory=dict)
    error: str | None = None
    """The code of what went wrong."""

    @property
    def is_told(self) -> bool:
        """Whether it goes to a collector: what is told to nobody need not be found out."""
        return self.place.is_sampled

    @property
    def traceparent(self) -> str | None:
        """It, for whoever goes on with it; None where nothing is traced."""
        return self.place.written

    def note(self, attributes: Attributes) -> None:
        self.attributes.update(attributes)

    def fail(self, code: str) -> None:
        """Say that it went wrong; the first code counts."""
        self.error = self.error or code


class _Untraced(Span):
    """What is there where nothing is traced; it takes nothing in."""

    @property
    def traceparent(self) -> str | None:
        return None

    def note(self, attributes: Attributes) -> None: ...

    def fail(self, code: str) -> None: ...


class Sender(Protocol):
    """``store.span_sending.SpanSender``."""

    @property
    def share(self) -> float:
        """Of the traces that begin here, so many are told."""
        ...

    @property
    def dropped(self) -> int:
        """Spans that no collector got."""
        ...

    def take(self, span: Span) -> None:
        """One that is over."""
        ...

    def close(self) -> None:
        """Send what waits, for two seconds at most."""
        ...


class Sending(Protocol):
    """``store.span_sending.SpanSender``, before there is one."""

    def of(self, settings: Settings, service: str, /) -> Sender:
        """A sender to the settings' collector."""
        ...


_UNTRACED = _Untraced(name="", place=Place("", "", is_sampled=False), began=0.0)
_around: ContextVar[Span | Place | None] = ContextVar("span", default=None)
_running: list[Sender] = []
_of_process: list[Place] = []


def start_tracing(settings: Settings, service: str, bring: Callable[[], Sending]) -> None:
    """Tell the settings' collector of the spans of this process, under the name of its service.

    What sends them is brought in only here and now, as it takes a good part of a second at each start.

    Where they name none, or it is done already, nothing changes. Where it cannot be done (a file with headers that has
    gone, no room for a thread) the log says so: the work of the process goes on without.
    """
    if not settings.otlp_endpoint or _running:
        return
    try:
        _running.append(bring().of(settings, service))
    except Exception as error:  # noqa: BLE001 - whatever it is, no request and no job must fail for it
        log.warning("nothing is traced: %s: %s", type(error).__name__, error)


def stop_tracing() -> None:
    """Send what waits, for two seconds at most; then nothing more is traced."""
    while _running:
        _running.pop().close()
    _of_process.clear()


def follow_trace_for_ever(traceparent: str | None) -> None:
    """A process that works within one span alone says so in all its threads."""
    place = Place.read(traceparent)
    if _running and place is not None:
        _of_process.append(place)


def dropped_spans() -> int:
    """Spans of this process that no collector got."""
    return sum(one.dropped for one in _running)


def note(attributes: Attributes) -> None:
    """Say more of the span that this thread or task is in."""
    around = _around.get()
    if isinstance(around, Span):
        around.note(attributes)


@contextmanager
def span(
    name: str,
    attributes: Attributes,
    *,
    kind: Kind = Kind.INTERNAL,
    parent: str | None = None,
    linked: str | None = None,
) -> Iterator[Span]:
    """A span while it lasts; what this thread or task begins meanwhile is within it.

    An error that goes through it is told by its code or its class: its words may be somebody's.

    Args:
        name: one of a few.
        attributes: what is known of it already.
        kind: what it is to the spans around it.
        parent: the ``traceparent`` of the one that it is within; by default that which this thread or task is in. What
            is none begins a trace of its own.
        linked: that of one that it goes on from.
    """
    if not _running:
        yield _UNTRACED
        return
    opened = _begun(name, attributes, kind, parent, time.time())
    opened.linked = Place.read(linked)
    before = _around.set(opened)
    try:
        yield opened
    except Exception as error:
        opened.fail(_code_of(error))
        raise
    finally:
        _around.reset(before)
        opened.ended = time.time()
        _tell(opened)


def past_span(
    name: str, attributes: Attributes, *, began: float, ended: float | None = None, parent: str | None = None
) -> None:
    """A span that is over; it ends now where no end is given."""
    if _running:
        over = _begun(name, attributes, Kind.INTERNAL, parent, began)
        over.ended = time.time() if ended is None else ended
        _tell(over)


@contextmanager
def continuing(traceparent: str | None) -> Iterator[None]:
    """Work within a span of a row; where it has none, as before."""
    place = Place.read(traceparent)
    if not _running or place is None:
        yield
        return
    before = _around.set(place)
    try:
        yield
    finally:
        _around.reset(before)


def _begun(name: str, attributes: Attributes, kind: Kind, parent: str | None, began: float) -> Span:
    within = _within() if parent is None else Place.read(parent)
    place = Place.new(_running[-1].share) if within is None else within.new_below
    return Span(name=name, kind=kind, place=place, parent=within, began=began, attributes=dict(attributes))


def _within() -> Place | None:
    around = _around.get()
    if around is None:
        return _of_process[-1] if _of_process else None
    return around.place if isinstance(around, Span) else around


def _tell(over: Span) -> None:
    if over.is_told and _running:
        _running[-1].take(over)


def _code_of(error: Exception) -> str:
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else type(error).__name__
