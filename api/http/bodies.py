"""Bodies as they arrive: how slowly they may come, how much of them is held at once, how large a piece is looked at."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import RefusedInside, app_error_response
from api.http.json_parts import MAX_PARTS, MAX_REVIEW_PARTS, PartsCount
from api.http.media_types import FORM, OFFSET, is_json, media_type
from api.http.paths import route_path
from store.errors import AppError, TooBusy

PIECE_BYTES = 16 * 1024
"""What is parsed at a time on the event loop: the worst form takes 10 ms for as much."""
MAX_PIECE_BYTES = 256 * 1024
FEW_LINES = 300
"""In what is parsed at a time: a form costs by the lines that it has, and pictures have next to none."""

LEAST_RATE = 1024
"""Bytes a second on the average; a body may be silent for a while beside."""

UPLOADS = frozenset({"/datasets", "/jobs/archives"})
"""Where archives are sent as forms, which go to the disk as they come."""
RESUMABLE = "/uploads/"
"""How the paths begin where the bytes of archives are sent without a form, which go there too."""

REVIEWS = re.compile(r"/datasets/[^/]+/revisions")
"""Where corrected labels are sent, thousands at once."""

SMALL_BYTES = 64 * 1024
"""Such a body is bounded by the number of connections, and does not wait for those who send much."""

AGAIN_SECONDS = "2"


class BodyTooSlow(AppError):
    """The client began a body and does not go on with it."""

    status = 408
    code = "request_timeout"
    title = "Request timeout"


class ByteBudget:
    """Bytes of bodies that are being received or answered, of all requests together."""

    def __init__(self, most: int) -> None:
        """Hold up to ``most`` bytes."""
        self.most = most
        self.now = 0

    def add(self, count: int, of: int) -> None:
        """Hold so many more of a body that has ``of`` bytes by now; a small one always has room.

        Raises:
            TooBusy: they are too many.
        """
        if of > SMALL_BYTES and self.now + count > self.most:
            detail = f"the bodies of requests that are not answered yet reach {self.most} bytes"
            raise TooBusy(detail, "Send it again in a moment.", {"Retry-After": AGAIN_SECONDS})
        self.now += count

    def check(self, length: str) -> None:
        """Refuse a body whose said length does not fit, before anything of it is read.

        Raises:
            TooBusy: it does not fit.
        """
        if length.isdecimal():
            self.add(int(length[:20]), of=int(length[:20]))
            self.free(int(length[:20]))

    def free(self, count: int) -> None:
        self.now -= count


class Slots:
    """A number of requests of a kind that may be open at once; one more is told to come again."""

    def __init__(self, most: int, what: str) -> None:
        """Let ``most`` be open; ``what`` they are is in the refusal."""
        self.most = most
        self.what = what
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Be one of them during the block.

        Raises:
            TooBusy: all are taken.
        """
        if self.taken >= self.most:
            detail = f"{self.most} {self.what} are open, and no more may be"
            raise TooBusy(detail, "Try again when one has ended.", {"Retry-After": AGAIN_SECONDS})
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class Bodies:
    """ASGI middleware: passes each body on in small pieces, and ends the request whose body is more than it may be.

    An archive goes to the disk that is meant for it, so that uploads are counted, not their bytes. All else lies in
    memory or in the folder of temporary files, before any route can say whether there is a place for it.
    """

    def __init__(self, app: ASGIApp, *, held_bytes: int, uploads: int, seconds: float) -> None:
        """Stand before ``app``.

        Args:
            app: what reads the bodies.
            held_bytes: of all bodies together, but for uploaded archives.
            uploads: archives that may be on their way at once.
            seconds: how long a body may be silent.
        """
        self.app = app
        self.held = ByteBudget(held_bytes)
        self.uploads = Slots(uploads, "uploads")
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer 429 before anything of the body is read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = media_type(headers)
        try:
            if _goes_to_disk(scope["method"], route_path(scope), kind):
                with self.uploads.one():
                    await self.app(scope, _Arrival(receive, kind, self.seconds, None).next, send)
            else:
                self.held.check(headers.get("content-length", ""))
                await self._serve_held(scope, receive, send, kind)
        except TooBusy as error:
            await app_error_response(error)(scope, receive, send)

    async def _serve_held(self, scope: Scope, receive: Receive, send: Send, kind: str) -> None:
        most = MAX_REVIEW_PARTS if REVIEWS.fullmatch(route_path(scope)) else MAX_PARTS
        arrival = _Arrival(receive, kind, self.seconds, self.held, most)
        try:
            await self.app(scope, arrival.next, send)
        finally:
            self.held.free(arrival.bytes)


def _goes_to_disk(method: str, path: str, kind: str) -> bool:
    if kind == OFFSET:
        return method == "PATCH" and path.startswith(RESUMABLE)
    return kind == FORM and method == "POST" and path in UPLOADS


class _Arrival:
    """One body; ``bytes`` of it have come."""

    def __init__(
        self, receive: Receive, kind: str, seconds: float, held: ByteBudget | None, most_parts: int = MAX_PARTS
    ) -> None:
        self.bytes = 0
        self._parts = PartsCount(most_parts) if is_json(kind) else None
        self._is_form = kind == FORM
        self._is_plain = kind == OFFSET
        self._held = held
        self._messages = self._in_pieces(receive, seconds)

    async def next(self) -> Message:
        """The next message, of a small piece.

        Raises:
            RefusedInside: the body is too slow, too many bodies are held, or it has too many parts.
        """
        return await anext(self._messages)

    async def _in_pieces(self, receive: Receive, seconds: float) -> AsyncIterator[Message]:
        left = seconds
        more = True
        while True:
            begun = time.monotonic()
            message = await _within(receive, left) if more else await receive()
            if message["type"] == "http.request":
                body, more = message.get("body", b""), message.get("more_body", False)
                left = min(seconds, left - (time.monotonic() - begun) + len(body) / LEAST_RATE)
                self._take(body)
                *pieces, last = self._cut(body)
                for piece in pieces:
                    yield {"type": "http.request", "body": piece, "more_body": True}
                    await asyncio.sleep(0)
                message = {"type": "http.request", "body": last, "more_body": more}
            yield message

    def _cut(self, body: bytes) -> list[bytes]:
        """The bytes in pieces that are cheap enough, at least one."""
        # Nobody parses it.
        if self._is_plain:
            return [body]
        if self._is_form and body.count(b"\n") <= FEW_LINES and len(body) <= MAX_PIECE_BYTES:
            return [body]
        return [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)] or [b""]

    def _take(self, body: bytes) -> None:
        try:
            if self._held is not None:
                self._held.add(len(body), of=self.bytes + len(body))
                self.bytes += len(body)
            if self._parts is not None:
                self._parts.add(body)
        except AppError as error:
            raise RefusedInside(error) from error


async def _within(receive: Receive, seconds: float) -> Message:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await receive()
    except TimeoutError:
        detail = "the body stopped coming before its end, or comes too slowly"
        raise RefusedInside(BodyTooSlow(detail, "Send the request again, whole.", {"Connection": "close"})) from None
