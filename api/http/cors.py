"""Other sites' pages that may use the service: those of PEDIGREE_CORS_ORIGINS, by name, without cookies."""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.origins import normal_origin

_MAY_ASK = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Range, "
    "If-None-Match, X-Request-Id, Traceparent, Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, "
    "X-HTTP-Method-Override",
    "Access-Control-Max-Age": "600",
}
MAY_READ = {
    "Access-Control-Expose-Headers": "Location, Retry-After, RateLimit, RateLimit-Policy, Allow, ETag, Link, "
    "Accept-Ranges, Content-Range, Content-Disposition, WWW-Authenticate, X-Request-Id, Tus-Extension, "
    "Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Offset, Pedigree-Version, "
    "Pedigree-Run, Pedigree-Arch, Pedigree-Drawn, Pedigree-TTA, Pedigree-Loss, Pedigree-Scores, Pedigree-Calibrated, "
    "Pedigree-Refused-Share, Pedigree-Coverage, Pedigree-Coverage-Photos, Pedigree-Coverage-Note, Pedigree-Dataset, "
    "Pedigree-Revision, Pedigree-Side"
}


class Cors:
    """ASGI middleware: tells a browser that a page of one of these origins may ask and read."""

    def __init__(self, app: ASGIApp, *, origins: frozenset[str]) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; a browser's question beforehand is answered here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        is_friend = normal_origin(origin) in self.origins
        if is_friend and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            start: Message = {"type": "http.response.start", "status": 204, "headers": []}
            sending = _telling(send, {"Access-Control-Allow-Origin": origin, **_MAY_ASK})
            await sending(start)
            await sending({"type": "http.response.body", "body": b""})
            return
        told = {"Access-Control-Allow-Origin": origin, **MAY_READ} if is_friend else {}
        await self.app(scope, receive, _telling(send, told))


def _telling(send: Send, told: Mapping[str, str]) -> Send:
    """Add headers; what depends on the origin is kept apart by caches."""

    async def send_and_tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("Origin")
            for name, value in told.items():
                headers[name] = value
        await send(message)

    return send_and_tell
