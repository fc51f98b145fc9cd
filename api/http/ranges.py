"""Parts of a file: one range of bytes, or the whole for who asks for anything else; a problem where it is not there."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import app_error_response
from store.errors import AppError

_ONE = re.compile(r"bytes=(?:(\d{1,15})-(\d{0,15})|-\d{1,15})", re.ASCII)
NOT_SATISFIABLE = 416


class RangeNotSatisfiable(AppError):
    """The file ends before the part that is asked for."""

    status = NOT_SATISFIABLE
    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class Ranges:
    """ASGI middleware. RFC 9110 14.2 has a server ignore a Range that it does not know or that is not valid."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (asked := MutableHeaders(scope=scope)).get("range"):
            await self.app(scope, receive, send)
            return
        if not _is_one(asked["range"]):
            del asked["range"]
            scope = {**scope, "headers": asked.raw}
        is_refused = False

        async def say_why(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start" and message["status"] == NOT_SATISFIABLE:
                is_refused = True
                error = RangeNotSatisfiable("the file ends before that", "Ask for a part that begins within it.")
                await app_error_response(error)(scope, receive, send)
            elif not is_refused:
                await send(message)

        await self.app(scope, receive, say_why)


def _is_one(asked: str) -> bool:
    found = _ONE.fullmatch(asked.strip())
    if found is None:
        return False
    first, last = found.groups()
    return not (first and last) or int(first) <= int(last)
