"""HEAD wherever there is GET, and which methods a path has."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: a HEAD is the GET with its body left out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; of a HEAD, the head alone."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                scope["method"] = "HEAD"  # whoever counts, or sends on, must know it
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                ended = True

        async def receive_until_answered() -> Message:
            # A stream of events would go on for as long as somebody listens.
            return {"type": "http.disconnect"} if ended else await receive()

        scope["method"] = "GET"
        await self.app(scope, receive_until_answered, send_head)


def methods_of(scope: Scope, routes: Iterable[BaseRoute]) -> str:
    """What the path of a request can be asked for, as the header Allow has it."""
    found = {"OPTIONS"}
    for route in routes:
        if isinstance(route, Route) and route.methods and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods | ({"HEAD"} if "GET" in route.methods else set())
    return ", ".join(sorted(found))
