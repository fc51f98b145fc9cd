"""Each request's id: the caller's own, or a new one; in the answer, and in all that is logged for it."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.request_ids import HEADER, begin_request


class RequestIds:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve under the id. It is left in place: an error is answered, and logged, further out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        found = begin_request(Headers(scope=scope).get(HEADER))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = found
            await send(message)

        await self.app(scope, receive, send_with_id)
