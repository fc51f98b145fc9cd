"""What the TUS protocol, version 1.0.0, asks of every request and answer below ``/uploads`` (tus.io/protocols)."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import app_error_response
from api.http.paths import route_path
from store.errors import AppError, InvalidRequest

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination"
UPLOADS = "/uploads"
_VERSION_HEADER = "Tus-Resumable"
_OVERRIDDEN = frozenset({"PATCH", "DELETE", "HEAD"})
_NUMBER = re.compile(r"\d{1,18}")
_MOST_NAME = 255
_ONE = re.compile(rf"{UPLOADS}/[^/]+")


class VersionUnknown(AppError):
    """The request is of another version of the protocol, or of none."""

    status = 412
    code = "tus_version"
    title = "Unknown version of TUS"


class Tus:
    """ASGI middleware: the version is looked at and told, and a POST may stand for a method that is not let through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = route_path(scope) if scope["type"] == "http" else ""
        if path != UPLOADS and not _ONE.fullmatch(path):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] == "POST":
            asked = headers.get("x-http-method-override", "").upper()
            scope["method"] = asked if asked in _OVERRIDDEN else "POST"
        refusal = _refusal(scope["method"], headers.get(_VERSION_HEADER))
        if refusal is not None:
            await app_error_response(refusal)(scope, receive, _telling(send))
            return
        await self.app(scope, receive, _telling(send))


def _refusal(method: str, version: str | None) -> VersionUnknown | None:
    # Who only looks need not speak the protocol: a browser's address line does not.
    is_free = method == "OPTIONS" or (version is None and method in {"GET", "HEAD"})
    if is_free or version == VERSION:
        return None
    detail = f"the version {version[:40]!r} is not spoken here" if version else f"there is no header {_VERSION_HEADER}"
    return VersionUnknown(detail, f"Send {_VERSION_HEADER}: {VERSION}.", {"Tus-Version": VERSION})


def _telling(send: Send) -> Send:
    async def send_with_version(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[_VERSION_HEADER] = VERSION
        await send(message)

    return send_with_version


def number_in(headers: Mapping[str, str], name: str) -> int:
    """The number of bytes in a header.

    Raises:
        InvalidRequest: it is missing, or no such number.
    """
    value = headers.get(name)
    if value is None:
        raise InvalidRequest(f"there is no header {name}", f"Send {name} with a number of bytes.", field=name)
    if not _NUMBER.fullmatch(value):
        raise InvalidRequest("it is not a number of bytes", f"Send {name} with one.", field=name, value=value)
    return int(value)


def name_in(headers: Mapping[str, str]) -> str:
    """The file's name in the header Upload-Metadata, without folders; empty where none is told.

    Raises:
        InvalidRequest: the header is not pairs of a key and base64, or the name is too long.
    """
    metadata = headers.get("Upload-Metadata", "")
    pairs = (pair.strip().partition(" ") for pair in metadata.split(","))
    written = next((value.strip() for key, _, value in pairs if key == "filename"), "")
    try:
        name = b64decode(written, validate=True).decode()
    except (NotBase64, UnicodeDecodeError):
        hint = "Write it as filename BASE64, where the name is UTF-8."
        raise InvalidRequest("the filename in it is not base64 of UTF-8", hint, field="Upload-Metadata") from None
    name = re.split(r"[/\\]", name)[-1]
    if len(name) > _MOST_NAME or not name.isprintable():
        detail = f"the filename in it is not printable, or longer than {_MOST_NAME} characters"
        raise InvalidRequest(detail, "Send a shorter one, or none.", field="Upload-Metadata")
    return name
