"""Clients that leave in the middle of an answer."""

from anyio import BrokenResourceError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class QuietLeave:
    """ASGI middleware, the innermost: a stream that breaks because its reader has left is no defect.

    So is a body that ends in the middle because its sender has left. FastAPI closes an event stream's reading end
    first; a sender that waits for it at that moment raises. Further out it would be logged as a failure of the
    service. Whatever else is raised, and by whoever still has a reader, passes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; end in peace when the client has left."""
        has_left = False

        async def receive_and_see() -> Message:
            nonlocal has_left
            message = await receive()
            has_left = has_left or message["type"] == "http.disconnect"
            return message

        try:
            await self.app(scope, receive_and_see, send)
        except* (BrokenResourceError, ClientDisconnect):
            if not has_left:
                raise
