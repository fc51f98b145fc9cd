"""What every request passes before a route sees it: host, origin, size; and the headers every answer carries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import CrossOrigin, HostRefused, RefusedInside, app_error_response
from api.http.media_types import media_type
from api.http.origins import is_foreign
from api.http.paths import route_path
from store.errors import AppError, PayloadTooLarge, UnsupportedMedia

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Balancers and Prometheus ask for these by address; they tell of this process alone."""

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ANSWER_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class BodyLimit:
    """The most bytes of a body, and what to do with more."""

    most: int
    hint: str


LimitOf = Callable[[str, str, str], BodyLimit]


class Gate:
    """ASGI middleware.

    A page elsewhere can make a visitor's browser talk to 127.0.0.1. Naming our address by a host of its own (DNS
    rebinding) fails at the Host check; posting to us directly fails at the Origin check. Callers that are no browser
    send no Origin and pass.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Sequence[str], limit_of: LimitOf, friends: frozenset[str] = frozenset()
    ) -> None:
        """Stand before ``app``.

        Args:
            app: what to protect.
            hosts: accepted host names without port; ``*`` accepts any, ``*.example.org`` any below.
            limit_of: from method, path and media type to what a body may have.
            friends: origins of other sites whose pages may change something.
        """
        self.app = app
        self.hosts = tuple(host.lower() for host in hosts)
        self.limit_of = limit_of
        self.friends = friends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body's limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = route_path(scope)
        limit = self.limit_of(scope["method"], path, media_type(headers))
        refusal = self._refusal(scope["method"], path, headers, limit)
        if refusal is not None:
            await app_error_response(refusal)(scope, receive, _with_headers(send))
            return
        await self.app(scope, _limited(receive, limit), _with_headers(send))

    def _refusal(self, method: str, path: str, headers: Headers, limit: BodyLimit) -> AppError | None:
        host = headers.get("host", "")
        is_safe = method in SAFE_METHODS
        if not (is_safe and path in OPEN_PATHS) and not self._is_ours(host):
            return HostRefused(
                f"this service does not answer to the host {host[:100]!r}",
                hint="Add the name to PEDIGREE_ALLOWED_HOSTS.",
            )
        if not is_safe and is_foreign(headers, self.friends):
            return CrossOrigin(
                "a page of another site may not change anything here",
                hint="Use the service's own page or a client that is not a browser. Behind a proxy, have it pass on "
                "Host with its port; a page elsewhere that may is named in PEDIGREE_CORS_ORIGINS.",
            )
        encoding = headers.get("content-encoding", "").strip()
        if encoding.lower() not in {"", "identity"}:
            return UnsupportedMedia(
                f"the body is encoded as {encoding[:40]!r}, which is not read here",
                "Send it as it is, without Content-Encoding.",
                headers={"Accept-Encoding": "identity"},
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > limit.most:
            return too_large(limit)
        return None

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        return any(
            pattern in {"*", name} or (pattern.startswith("*.") and name.endswith(pattern[1:]))
            for pattern in self.hosts
        )


def host_name(host: str) -> str:
    """The host of a Host header without its port, nor the dot of a full name, lower case; IPv6 keeps its brackets."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].lower().removesuffix(".")


def too_large(limit: BodyLimit) -> PayloadTooLarge:
    """The error for a body over its limit."""
    return PayloadTooLarge(f"the request's body is over the limit of {limit.most} bytes", limit.hint)


def _limited(receive: Receive, limit: BodyLimit) -> Receive:
    """Count what arrives: a chunked body has no length to check beforehand."""
    seen = 0

    async def receive_within_limit() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit.most:
            raise RefusedInside(too_large(limit))
        return message

    return receive_within_limit


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ANSWER_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
