"""The pictures of a POST /predict: parts of a form, a body that is one, or base64 in JSON. No address is fetched."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, Protocol, cast

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BeforeValidator, Field, ValidationError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from api.http.field_errors import BodyRefused
from api.http.media_types import FORM, JSON, is_picture, media_type
from api.http.transfer_encoding import Base64, Plain, decoder_for
from api.http.unreadable import BodyUnreadable, PictureMissing, unread_json_text
from api.schemas.fields import Body
from api.serving.plain_forms import boundary_of, plain_parts
from ml.errors import ImageRejected
from store.errors import InvalidRequest, UnsupportedMedia
from store.settings import MIB

PIECE = MIB
PART = "file"
IN_MEMORY = 8 * MIB
"""Of a body whose length was said, and counted by ``api.http.bodies``; a larger one waits on the disk for its turn."""

AS_FORM = "Send each picture as a part `file` of a form, as `curl -F file=@picture.jpg` does."
_ADDRESS = re.compile(r"\s*(https?|ftp|file|s3|gs)://", re.IGNORECASE)
_DATA_ADDRESS = re.compile(r"data:[\w.+/-]*(;[\w.+=-]+)*;base64,", re.ASCII)
_IN_THE_ADDRESS = frozenset({"breed", "coverage", "keep", "model", "top_k", "tta"})

_FILE: dict[str, Any] = {"type": "string", "format": "binary"}
_TEXT: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [PART],
                    "properties": {PART: {"type": "array", "items": _FILE, "description": "one picture or more"}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": [PART],
                    "additionalProperties": False,
                    "properties": {
                        PART: {
                            "description": "one picture or more in base64, together as large as one picture may be",
                            "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
                        }
                    },
                }
            },
            "image/*": {"schema": {**_FILE, "description": "one picture as it is"}},
            "application/octet-stream": {"schema": {**_FILE, "description": "the same"}},
        },
    }
}


class PicturesBody(Body):
    """Pictures in base64."""

    file: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        BeforeValidator(lambda sent: [sent] if isinstance(sent, str) else sent),
        Field(min_length=1),
    ]


class Readable(Protocol):
    """What a picture's bytes are read from."""

    def seek(self, offset: int, /) -> int: ...

    def read(self, size: int, /) -> bytes: ...


class Slice:
    """A part of a body that lies in memory; only what is read of it is copied, by whoever reads."""

    def __init__(self, body: bytes, start: int, end: int) -> None:
        self._body, self._start, self._end = body, start, end
        self._at = start

    def seek(self, offset: int, /) -> int:
        self._at = self._start + offset
        return offset

    def read(self, size: int, /) -> bytes:
        begun, self._at = self._at, min(self._at + size, self._end)
        return self._body[begun : self._at]


@dataclass
class SentPicture:
    """A picture's bytes, not decoded yet, and the name that it came under."""

    filename: str
    content: Readable
    decoder: Plain = field(default_factory=Plain)

    def read(self, most: int) -> bytes:
        """Its first ``most`` bytes, as often as they are asked for; no more than these are decoded.

        Raises:
            ImageRejected: it is not written as it is said to be.
        """
        self.content.seek(0)
        if type(self.decoder) is Plain:
            return self.content.read(most)
        found, decoder = bytearray(), copy(self.decoder)
        try:
            while len(found) < most and (piece := self.content.read(PIECE)):
                found += decoder.feed(piece)
            if len(found) < most:
                found += decoder.end()
        except BodyUnreadable as error:
            raise ImageRejected("not_an_image", error.detail, error.hint) from error
        return bytes(found[:most])


@asynccontextmanager
async def sent_pictures(request: Request) -> AsyncIterator[list[SentPicture]]:
    """The pictures of a request, for as long as they are worked on.

    Raises:
        UnsupportedMedia: the body is of a kind that holds none.
        PictureMissing, InvalidRequest, BodyUnreadable, BodyRefused: it holds none, or is broken.
    """
    kind = media_type(request.headers)
    if kind == FORM:
        pieces = await _small_body(request)
        plain = None if pieces is None else _of_plain_form(b"".join(pieces), request.headers["content-type"])
        if plain is not None:
            # What was joined is held as long as the request lives: once is enough.
            del pieces
            yield plain
            return
        form = await _form(request.headers, request.stream() if pieces is None else _again(pieces))
        try:
            yield _of_form(form)
        finally:
            await form.close()
    elif kind == JSON:
        yield await run_in_threadpool(_of_json, await request.body())
    elif is_picture(kind):
        pieces = await _small_body(request)
        if pieces is not None:
            content_of_body = io.BytesIO(b"".join(pieces))
            del pieces
            yield [SentPicture("", content_of_body)]
            return
        with SpooledTemporaryFile(max_size=IN_MEMORY) as content:
            yield [await _of_body(request, cast("BinaryIO", content))]
    elif kind:
        raise UnsupportedMedia(f"the body is {kind[:80]}, neither a form nor a picture", AS_FORM)
    else:
        raise PictureMissing(f"the form has no part `{PART}`", AS_FORM)


class _Form(MultiPartParser):
    """A form that knows whether its last boundary has come."""

    has_ended = False

    def on_end(self) -> None:
        self.has_ended = True

    def drop(self) -> None:
        """Close every file of it, those too that did not come whole."""
        for file in self._files_to_close_on_error:
            file.close()


async def _small_body(request: Request) -> list[bytes] | None:
    """The body in the pieces in which it came, whole; None where it may be large and is left unread."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length[:20]) > IN_MEMORY:
        return None
    return [piece async for piece in request.stream()]


async def _again(pieces: list[bytes]) -> AsyncIterator[bytes]:
    """The pieces, cut small before they came here; everyone else has a turn between them."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def _of_plain_form(body: bytes, content_type: str) -> list[SentPicture] | None:
    """The pictures of a form as common clients write it; any other, or one with more in it, is looked at closer."""
    boundary = boundary_of(content_type)
    parts = None if boundary is None else plain_parts(body, boundary)
    if parts is None or any(one.name != PART or one.filename is None for one in parts):
        return None
    return [
        SentPicture(one.filename or "", Slice(body, one.start, one.end), decoder_for(one.encoding, PART))
        for one in parts
    ]


async def _form(headers: Headers, stream: AsyncIterator[bytes]) -> FormData:
    reader = _Form(headers, cast("Any", stream))
    try:
        form = await reader.parse()
    except MultiPartException as error:
        raise HTTPException(BodyUnreadable.status, error.message) from error
    if not reader.has_ended:
        reader.drop()
        raise InvalidRequest("the form ends in the middle", "Send it again, up to its last boundary.")
    return form


def _of_form(form: FormData) -> list[SentPicture]:
    parts = form.multi_items()
    for name, part in parts:
        if name != PART:
            raise _unknown_part(name)
        if isinstance(part, str):
            raise PictureMissing(f"a part `{PART}` of the form is text, not a file", AS_FORM)
    if not parts:
        raise PictureMissing(f"the form has no part `{PART}`", AS_FORM)
    return [_of_part(part) for _, part in parts if isinstance(part, UploadFile)]


def _of_part(part: UploadFile) -> SentPicture:
    decoder = decoder_for(part.headers.get("content-transfer-encoding", ""), PART)
    return SentPicture(part.filename or "", part.file, decoder)


def _unknown_part(name: str) -> PictureMissing:
    said = f"the form has a part {name[:80]!r}, which is not read here"
    if name in _IN_THE_ADDRESS:
        return PictureMissing(said, f"Give {name} in the address, as ?{name}=…")
    return PictureMissing(said, AS_FORM)


async def _of_body(request: Request, content: BinaryIO) -> SentPicture:
    async for piece in request.stream():
        await run_in_threadpool(content.write, piece)
    content.seek(0)
    return SentPicture("", content)


def _of_json(body: bytes) -> list[SentPicture]:
    """Not on the event loop: a text of megabytes takes a while to read."""
    try:
        sent = PicturesBody.model_validate(json.loads(body))
    except json.JSONDecodeError as error:
        raise unread_json_text(error.pos, error.msg) from error
    except ValidationError as error:
        raise BodyRefused(error, PicturesBody) from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(BodyUnreadable.status, str(error)) from error
    return [_of_text(text) for text in sent.file]


def _of_text(text: str) -> SentPicture:
    if _ADDRESS.match(text[:200]):
        raise PictureMissing(f"`{PART}` is an address, and none is fetched", "Send the picture itself in base64.")
    start = _DATA_ADDRESS.match(text[:200])
    # What is not ASCII is no base64 either, and is told of by the decoder.
    written = text[start.end() if start else 0 :].encode("ascii", "replace")
    return SentPicture("", io.BytesIO(written), Base64())
