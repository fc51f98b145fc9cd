"""Connections: how many may be open, how long a head may take, how long a client may leave an answer unread.

uvicorn's protocol over httptools reads as much at a time as the loop gives it, and bounds neither heads nor what stands
between the pieces of a body. What is here does, whichever loop runs it.
"""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http.addresses import network_of
from api.http.connection_refusals import (
    FULL,
    FULL_OF_ADDRESS,
    HEAD_BYTES,
    LONG_HEAD,
    NOT_HTTP,
    SLOW,
    UPGRADE,
    last_answer,
)
from api.http.lingering import LEAST_READ, LingeringTransport
from api.http.stopping import STREAM_SECONDS, Stopping, is_stream
from api.schemas.problem import Problem

READ_BYTES = 16 * 1024
"""What is taken from a socket at a time: the worst bytes, heads of a few letters each, cost 20 ms to parse."""
BODY_READ_BYTES = 256 * 1024
"""The same of a body whose length was said: nothing of it is parsed here."""
WRAPPING = 16
"""Bytes around each byte of a body in pieces: those of a single letter have five."""

MOST_PIPELINED = 1024
"""Requests that one connection may send ahead of their answers; no honest client sends many."""


@dataclass(frozen=True)
class ConnectionLimits:
    """The most connections, and the seconds for a head, an answer unread, and what comes behind a last answer.

    ``most_of_address`` are those of one address; this machine's own may be as many as all.
    """

    most: int
    seconds: float
    most_of_address: int = sys.maxsize


def guarded(limits: ConnectionLimits, stopping: Stopping | None = None) -> type[asyncio.Protocol]:
    """Uvicorn's protocol with limits, for one server: its connections share a buffer, as one loop serves them."""

    class Guarded(GuardedProtocol):
        pass

    class ServersIntake(Intake):
        kind = Guarded
        buffer = memoryview(bytearray(BODY_READ_BYTES))

    Guarded.limits = limits
    Guarded.stopping = stopping or Stopping()
    # uvicorn hands it to the loop, which takes either kind of protocol; its types know of one.
    return cast("type[asyncio.Protocol]", ServersIntake)


class GuardedProtocol(HttpToolsProtocol):
    """A connection that is closed where its client holds it without asking or reading anything."""

    limits: ConnectionLimits
    stopping: Stopping

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self.waits_since = self.loop.time()
        self._unread_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._in_head = self._in_body = self._is_refused = False
        self._address: str | None = None
        self._said_bytes: int | None = 0
        self._head_bytes = self._fed_bytes = self._body_bytes = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the client's next request has not come whole: nobody here works for it."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says never None, and begins with that
        return cycle is None or cycle.response_complete

    @property
    def is_lingering(self) -> bool:
        """Whether it has had its last answer, and what it still sends is forgotten."""
        return self._wire.is_lingering

    @property
    def is_leaving(self) -> bool:
        """Whether nothing more is answered, though the client still sends or reads."""
        return self._wire.is_closing() and not self._wire.is_gone

    @property
    def is_gone(self) -> bool:
        """Whether it was ended from here, which the loop has not told yet."""
        return self._wire.is_gone

    @property
    def wanted_bytes(self) -> int:
        """How much may be read at a time: of a body whose length was said, little more than is left of it."""
        if self.is_lingering:
            return BODY_READ_BYTES
        if self._in_head or not self._said_bytes:
            return READ_BYTES
        return min(BODY_READ_BYTES, self._said_bytes - self._body_bytes + READ_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection; one too many takes the place of the one that has waited longest for its request."""
        self._wire = LingeringTransport(
            transport, self.loop, seconds=self.limits.seconds, is_sending=lambda: self._is_sending
        )
        super().connection_made(self._wire)
        self._await_head()
        self._address = _counted_address(transport)
        mine = self._of_its_address()
        if len(mine) > self.limits.most_of_address:
            # First: where all is full it must not take others' places.
            self._make_room(mine, self.limits.most_of_address, FULL_OF_ADDRESS)
        elif len(self.connections) > self.limits.most:
            self._make_room(self.connections, self.limits.most, FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers; tell the request that is being answered, which with more behind it uvicorn does not."""
        self._stop_head_timer()
        self._stop_read_timer()
        self._wire.forget_timer()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes | memoryview) -> None:
        """Take bytes; the time for a head runs from its first byte to its last."""
        was_in_head = self._in_head
        self._fed_bytes += len(data)
        super().data_received(data)  # type: ignore[arg-type]  # the parser takes any buffer
        if self.transport.is_closing():
            return
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES or self._is_mostly_wrapping():
            self._refuse(LONG_HEAD)
        elif len(self.pipeline) > MOST_PIPELINED:
            self.transport.close()
        elif self.is_waiting:
            self._await_head()
        else:
            self._stop_head_timer()

    def worth(self) -> tuple[bool, float]:
        """The least first of who may make room: one whose answer is sent whole loses nothing by being ended."""
        return self.transport.get_write_buffer_size() > 0, self.waits_since

    def leave(self, *, at_once: bool = False) -> None:
        """Make room for another connection; ``at_once``: what was answered has had its time."""
        if at_once:
            self._wire.abort()
        else:
            self._wire.close_silently()

    def hear_out(self, count: int) -> None:
        """Take bytes behind the last answer: they only show that the client still sends."""
        self._wire.heard(is_full=count == BODY_READ_BYTES)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._said_bytes = None
        self._head_bytes = self._fed_bytes = self._body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a body, which the request has been passed on without, are left out."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        said = [value for name, value in self.headers if name in {b"content-length", b"transfer-encoding"}]
        if not said:
            self._said_bytes = 0
        elif said[0].isdigit():
            self._said_bytes = int(said[0])
        self._in_body = self._said_bytes != 0
        if self.parser.should_upgrade() and self._said_bytes != 0:
            # The parser takes what follows for the other protocol, and so would read the body as the next request.
            self._refuse(UPGRADE)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, which are for its log
        self._refuse(NOT_HTTP)

    def shutdown(self) -> None:
        """The process stops: in patience, what may be on its way is answered, and told that it is the last."""
        self._wire.seconds = min(self._wire.seconds, STREAM_SECONDS)
        if self.is_leaving:
            self._wire.hurry()
        elif not self.stopping.is_patient:
            super().shutdown()
        elif self._answering is None:  # what has had an answer is closed by uvicorn itself, some seconds after it
            self.loop.call_later(self.config.timeout_keep_alive, self._close_if_waiting)
        elif self._answering.response_complete:
            if self._in_body:  # that goes on keeps uvicorn from closing it
                self.transport.close()
        elif is_stream(self._answering.scope):
            # Cut, not ended: a stream that ends says that there is nothing more to hear.
            self.transport.close()
        elif not self._answering.response_started:
            self._answering.keep_alive = False

    def pause_writing(self) -> None:
        """The client does not read: it may do so for a while."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        self._stop_read_timer()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """The answer is whole: from now on the client's next request is waited for."""
        self.waits_since = self.loop.time()
        super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        self._answering = cycle
        if self.stopping.is_patient and not self.pipeline:
            cycle.keep_alive = False
            if is_stream(cycle.scope):
                self.loop.call_later(STREAM_SECONDS, self.transport.close)
        super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]  # two names for one thing

    @property
    def _is_sending(self) -> bool:
        """Whether bytes of a request may still come."""
        return self._is_refused or self._in_head or self._in_body

    def _is_mostly_wrapping(self) -> bool:
        """Whether a body in pieces has more around them than any honest one: it need never end."""
        if self._in_head or self._said_bytes is not None:
            return False
        return self._fed_bytes > READ_BYTES + HEAD_BYTES + WRAPPING * self._body_bytes

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.seconds, self._end_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _await_reading(self) -> None:
        self._unread_bytes = self._wire.unread_bytes()
        self._read_timer = self.loop.call_later(self.limits.seconds, self._end_unread)

    def _end_unread(self) -> None:
        """End who has stopped reading; a long answer over a slow line takes its time."""
        if self._unread_bytes - self._wire.unread_bytes() < LEAST_READ * self.limits.seconds:
            self.transport.abort()
        else:
            self._await_reading()

    def _close_if_waiting(self) -> None:
        if self.is_waiting:
            self.transport.close()

    def _end_head(self) -> None:
        self._head_timer = None
        if not self.is_waiting or self.transport.is_closing():
            return
        if self._in_body:  # of a request that has had its answer
            self._wire.abort()
        else:
            self._answer(SLOW)

    def _of_its_address(self) -> set[object]:
        """Connections of its address, this one too, if they may be too many; none of this machine's own."""
        if self._address is None or len(self.connections) <= self.limits.most_of_address:
            return set()
        return {one for one in self.connections if getattr(one, "_address", None) == self._address}

    def _make_room(self, among: Iterable[object], most: int, refusal: Problem) -> None:
        """Close one that has had its last answer; with too many others, who has waited longest for a request, or this.

        Connections that only lie there shut nobody out.
        """
        others = [one for one in among if isinstance(one, GuardedProtocol) and one is not self]
        leaving = [one for one in others if one.is_leaving]
        waiting = [one for one in others if one.is_waiting and not one.transport.is_closing()]
        if leaving:
            min(leaving, key=GuardedProtocol.worth).leave(at_once=True)
        if 1 + sum(not (one.is_leaving or one.is_gone) for one in others) <= most:
            return
        if waiting:
            min(waiting, key=GuardedProtocol.worth).leave()
        else:
            self._answer(refusal)

    def _refuse(self, problem: Problem) -> None:
        """Answer what cannot be read, unless an answer to something else is on its way; close in any case."""
        self._is_refused = True
        cycle = self._answering
        is_free = cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if is_free:
            self._answer(problem)
        else:
            self.transport.close()

    def _answer(self, problem: Problem) -> None:
        """Answer without a request, and close."""
        self._is_refused = True
        self.transport.write(last_answer(problem))
        self.transport.close()


def _counted_address(transport: asyncio.Transport) -> str | None:
    """Whose the connection is, by the socket and never by what is sent; None: this machine's own."""
    peer = transport.get_extra_info("peername")
    return network_of(str(peer[0])) if isinstance(peer, tuple) else None


class Intake(asyncio.BufferedProtocol):
    """What the loop reads into: asyncio's and uvloop's both ask it how much, before each read."""

    kind: ClassVar[type[GuardedProtocol]]
    buffer: ClassVar[memoryview]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        self.http = self.kind(*args, **options)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.http.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint
        return self.buffer[: self.http.wanted_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was read; behind a full buffer everyone else has a turn, and uvloop would read on."""
        if self.http.is_lingering:
            self.http.hear_out(nbytes)
            return
        is_full = nbytes in {READ_BYTES, BODY_READ_BYTES}
        self.http.data_received(self.buffer[:nbytes])
        transport, flow = self.http.transport, self.http.flow
        if is_full and not flow.read_paused and not transport.is_closing():
            transport.pause_reading()
            self.http.loop.call_soon(self._read_on)

    def eof_received(self) -> None:
        """The client has ended its side; closed from here, since the loop's own close leaves a rest unread for ever."""
        self.http.leave()

    def pause_writing(self) -> None:
        self.http.pause_writing()

    def resume_writing(self) -> None:
        self.http.resume_writing()

    def _read_on(self) -> None:
        if not self.http.flow.read_paused and not self.http.transport.is_closing():
            self.http.transport.resume_reading()
