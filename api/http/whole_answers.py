"""Answers that are whole before they are sent: tagged, not sent again to who has them, and packed where that saves."""

import gzip
from collections.abc import Iterable
from hashlib import blake2b

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.accepts import accepted

MOST_BYTES = 4 * 1024 * 1024
"""Of an answer that is tagged; a hash of so much takes 4 ms."""
SMALL = 8 * 1024
"""Bytes that are not worth packing; an answer of POST /predict has fewer."""
QUICK = 64 * 1024
"""Bytes that are packed within a millisecond; more are packed in a thread."""
TEXTS = ("application/json", "text/csv", "text/html")
PICTURES = "image/"
_LEVEL = 4
_DIGEST = 16


class WholeAnswers:
    """ASGI middleware. Of a GET's answers those that come in one piece; what is streamed is left as it is.

    A browser keeps what has a tag and asks whether it has changed, so that a page that looks every few seconds gets
    the same table once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; where the answer is what the caller has, say so."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        start: Message | None = None

        async def finish(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_text_or_picture(message):
                start = message
                return
            begun, start = start, None
            for one in [message] if begun is None else await _finished(begun, message, asked):
                await send(one)

        await self.app(scope, receive, finish)


def _is_text_or_picture(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_one = _kind(headers) in TEXTS or _kind(headers).startswith(PICTURES)
    is_kept = "etag" not in headers and "no-store" not in headers.get("cache-control", "")
    return start["status"] == 200 and is_one and is_kept  # noqa: PLR2004


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip()


async def _finished(start: Message, first: Message, asked: Headers) -> list[Message]:
    """What is sent in place of an answer's start and the first message behind it."""
    body = first.get("body", b"")
    if first["type"] != "http.response.body" or first.get("more_body") or len(body) > MOST_BYTES:
        return [start, first]
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"] = f'W/"{blake2b(body, digest_size=_DIGEST).hexdigest()}"'
    headers.setdefault("Cache-Control", "private, no-cache")
    is_packed = _kind(headers) in TEXTS and len(body) >= SMALL
    if is_packed:
        # An answer that nothing has changed says it, too: what is kept takes over its headers.
        headers.add_vary_header("Accept-Encoding")
    known = asked.get("if-none-match")
    if known is not None and _names(known, headers["ETag"]):
        for name in ("content-length", "content-type"):
            del headers[name]
        return [{**start, "status": 304, "headers": headers.raw}, {**first, "body": b""}]
    if is_packed and accepted(asked.get("accept-encoding", "")).get("gzip"):
        body = await _packed(body)
        headers["Content-Encoding"], headers["Content-Length"] = "gzip", str(len(body))
    return [{**start, "headers": headers.raw}, {**first, "body": body}]


async def _packed(body: bytes) -> bytes:
    if len(body) <= QUICK:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await run_sync(lambda: gzip.compress(body, _LEVEL, mtime=0))


def _names(known: str, tag: str) -> bool:
    """Whether If-None-Match names the tag: weakly compared, as RFC 9110 13.1.2 has it."""
    return known.strip() == "*" or tag.removeprefix("W/") in set(_tags(known))


def _tags(known: str) -> Iterable[str]:
    return (part.strip().removeprefix("W/") for part in known.split(","))
