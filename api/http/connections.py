"""Connections: how many may be open, how long a head may take, how long a client may leave an answer unread."""

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.http.bodies import AGAIN_SECONDS
from api.schemas.problem import PROBLEM_TYPE, Problem

READ_BYTES = 16 * 1024
"""What is taken from a socket at a time: the worst bytes, a chunked body of single bytes, cost 16 ms to parse."""
BODY_READ_BYTES = 256 * 1024
"""The same of a body whose length was said: nothing of it is parsed here."""

SLOW = Problem(
    title="Request timeout",
    status=408,
    detail="the request's head did not come whole in time",
    code="request_timeout",
    hint="Send the request again, at once and whole.",
)
FULL = Problem(
    title="Service unavailable",
    status=503,
    detail="as many connections are open as may be",
    code="too_many_connections",
    hint="Try again after Retry-After seconds, or raise PEDIGREE_MAX_CONNECTIONS.",
)


@dataclass(frozen=True)
class ConnectionLimits:
    """The most connections, and the seconds that a head may take and that an answer may lie unread."""

    most: int
    seconds: float


def guarded(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Uvicorn's protocol with limits. Of its own it has none for heads, and counts only connections that sent one."""

    class Guarded(GuardedProtocol):
        pass

    Guarded.limits = limits
    return Guarded


class GuardedProtocol(H11Protocol):
    """A connection that is closed where its client holds it without asking or reading anything."""

    limits: ConnectionLimits

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self.opened = self.loop.time()
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the client's next request has not come whole: nobody here works for it."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says never None, and begins with that
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection; one too many takes the place of the one that has waited longest for its request."""
        super().connection_made(transport)
        self._read_at_most(READ_BYTES)
        self._await_head()
        if len(self.connections) > self.limits.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_head_timer()
        self._stop_read_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the time for a head runs from its first byte to its last."""
        super().data_received(data)
        if self.is_waiting and not self.transport.is_closing():
            self._await_head()
            self._read_at_most(READ_BYTES)
        else:
            self._stop_head_timer()
            is_chunked = any(name == b"transfer-encoding" for name, _ in self.headers or ())
            self._read_at_most(READ_BYTES if is_chunked else BODY_READ_BYTES)

    def on_response_complete(self) -> None:
        """Go on with the next request, unless more lies there than one read of heads may bring."""
        self._read_at_most(READ_BYTES)
        if len(self.conn.trailing_data[0]) > READ_BYTES:
            self.transport.close()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read: it may do so for a while."""
        super().pause_writing()
        self._read_timer = self.loop.call_later(self.limits.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        self._stop_read_timer()
        super().resume_writing()

    def _read_at_most(self, count: int) -> None:
        self.transport.max_size = count  # type: ignore[attr-defined]  # asyncio's own, by default 256 KiB

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

    def _end_head(self) -> None:
        self._head_timer = None
        if self.is_waiting and not self.transport.is_closing():
            self._answer(SLOW)

    def _make_room(self) -> None:
        """Close the connection that has waited longest for its request; where none waits, this one.

        Connections that only lie there shut nobody out.
        """
        others = [one for one in self.connections if isinstance(one, GuardedProtocol) and one is not self]
        waiting = [one for one in others if one.is_waiting and not one.transport.is_closing()]
        if waiting:
            min(waiting, key=lambda one: one.opened).transport.close()
        else:
            self._answer(FULL)

    def _answer(self, problem: Problem) -> None:
        """Answer without a request, and close."""
        body = json.dumps(problem.model_dump(exclude_none=True))
        headers = [("content-type", PROBLEM_TYPE), ("content-length", str(len(body)))]
        headers += [("connection", "close"), ("retry-after", AGAIN_SECONDS)]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        phrase = HTTPStatus(problem.status).phrase
        self.transport.write(f"HTTP/1.1 {problem.status} {phrase}\r\n{head}\r\n{body}".encode("ascii"))
        self.transport.close()
