"""Where the service lies: at the root of its host, or below a path that a proxy gives it."""

from starlette.types import ASGIApp, Receive, Scope, Send


def route_path(scope: Scope) -> str:
    """The path of a request as the routes have it, whether or not the proxy has taken its own part away."""
    root, path = str(scope.get("root_path", "")), str(scope["path"])
    is_below = bool(root) and (path == root or path.startswith(f"{root}/"))
    return path[len(root) :] if is_below else path


class Below:
    """ASGI middleware: every path begins with the service's own, so that redirects do too.

    A proxy may pass on the path as it came, or take its own part away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (root := scope.get("root_path")):
            scope["path"] = root + route_path(scope)
        await self.app(scope, receive, send)
