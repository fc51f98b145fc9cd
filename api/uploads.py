"""A multipart upload written to disk as it arrives: an archive of gigabytes costs no more memory than a chunk."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.unreadable import unread_form
from store.errors import InvalidRequest, NoRoom, PayloadTooLarge, UnsupportedMedia
from store.room import says_disk_full

MAX_FIELD_BYTES = 4096
MAX_FIELDS = 16
MAX_HEADER_BYTES = 4096
UPLOAD_HINT = "Pack fewer or smaller pictures, or raise PEDIGREE_MAX_UPLOAD_BYTES."


@dataclass
class Form:
    """The fields of a form; ``archive_bytes`` is what was written of the file part."""

    fields: dict[str, str] = field(default_factory=dict)
    archive_bytes: int | None = None


@contextmanager
def scratch_file(folder: Path) -> Iterator[Path]:
    """A path for an upload, removed afterwards whatever happens.

    Raises:
        NoRoom: the folder's disk does not hold it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="upload-") as file:
            yield Path(file.name)
    except OSError as error:
        if not says_disk_full(error):
            raise
        detail = "the disk of the service's PEDIGREE_CACHE is full and does not hold the upload"
        raise NoRoom(detail, "Make room there, or have PEDIGREE_CACHE name a folder on a larger disk.") from error


async def read_form(request: Request, archive: Path, *, max_bytes: int) -> Form:
    """Read a multipart body: the part ``archive`` goes to a file, the others are short texts.

    Raises:
        UnsupportedMedia: the body is no multipart form.
        InvalidRequest, BodyUnreadable: the form is broken or has parts that are too large.
        PayloadTooLarge: the archive has more than ``max_bytes``.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise UnsupportedMedia("the body is not multipart/form-data", "Send the fields archive and name as a form.")
    with archive.open("wb") as file:
        try:
            reader = _FormReader(boundary, file, max_bytes)
        except FormParserError as error:
            raise unread_form(error) from error
        await _feed(reader, request.stream())
    if not reader.ended:
        raise InvalidRequest("the form ends in the middle", hint="Send it again.")
    return reader.form


async def _feed(reader: "_FormReader", chunks: AsyncIterator[bytes]) -> None:
    try:
        async for chunk in chunks:
            await run_in_threadpool(reader.feed, chunk)
    except FormParserError as error:
        raise unread_form(error) from error


class _FormReader:
    """Takes the parser's events; a part's content is passed on as it comes."""

    def __init__(self, boundary: bytes, file: BinaryIO, max_bytes: int) -> None:
        self.form = Form()
        self.ended = False
        self._file = file
        self._max_bytes = max_bytes
        self._name = ""
        self._text = bytearray()
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    def feed(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def _begin(self) -> None:
        self._disposition = b""
        self._text.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header, data[start:end], MAX_HEADER_BYTES)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end], MAX_HEADER_BYTES)

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name in self.form.fields or (self._name == "archive" and self.form.archive_bytes is not None):
            raise InvalidRequest(f"the form has more than one part {self._name[:80]!r}", "Send it once.")
        if len(self.form.fields) >= MAX_FIELDS:
            raise InvalidRequest(
                f"the form has more than {MAX_FIELDS} fields", "Send only the fields of POST /datasets."
            )
        if self._name == "archive":
            self.form.archive_bytes = 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.form.archive_bytes is None or self._name != "archive":
            self._grow(self._text, data[start:end], MAX_FIELD_BYTES)
            return
        self.form.archive_bytes += end - start
        if self.form.archive_bytes > self._max_bytes:
            raise PayloadTooLarge(f"the archive is over the limit of {self._max_bytes} bytes", UPLOAD_HINT)
        self._file.write(data[start:end])

    def _end(self) -> None:
        if self._name != "archive":
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _finish(self) -> None:
        self.ended = True

    def _grow(self, buffer: bytearray, data: bytes, limit: int) -> None:
        buffer.extend(data)
        if len(buffer) > limit:
            detail = f"a part of the form beside the archive, or a part's head, is over {limit} bytes"
            raise InvalidRequest(detail, "Shorten the field, or the file's name.")
