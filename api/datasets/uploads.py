"""A multipart upload written to disk as it arrives: an archive of gigabytes costs no more memory than a chunk."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.http.media_types import FORM
from api.http.transfer_encoding import Plain, decoder_for
from api.http.unreadable import unread_form
from store.cache_names import UPLOAD
from store.errors import InvalidRequest, NoRoom, PayloadTooLarge, UnsupportedMedia
from store.room import says_disk_full

MAX_FIELD_BYTES = 4096
MAX_FIELDS = 16
MAX_HEADER_BYTES = 4096
MAX_LABELS_BYTES = 64 * 1024 * 1024
LABELS_HINT = "Send one line, filename,label, for each image."
FORM_HINT = (
    "Send the fields archive and name as a form, as `curl -F archive=@pets.zip -F name=pets` does; a dataset that the "
    "service knows is asked for by POST /datasets/builtin."
)
UPLOAD_HINT = "Pack fewer or smaller images, or raise PEDIGREE_MAX_UPLOAD_BYTES."


@dataclass
class Form:
    """The fields of a form; ``archive_bytes`` and ``labels_bytes`` are what was written of the file parts."""

    fields: dict[str, str] = field(default_factory=dict)
    archive_bytes: int | None = None
    labels_bytes: int | None = None


@dataclass
class _FilePart:
    """Where a file part goes, how large it may be, and how much of it came; None before it began."""

    file: BinaryIO
    most: int
    hint: str
    bytes: int | None = None


@contextmanager
def scratch_file(folder: Path) -> Iterator[Path]:
    """A path for an upload, removed afterwards whatever happens.

    Raises:
        NoRoom: the folder's disk does not hold it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=UPLOAD) as file:
            yield Path(file.name)
    except OSError as error:
        if not says_disk_full(error):
            raise
        detail = "the disk of the service's PEDIGREE_CACHE is full and does not hold the upload"
        raise NoRoom(detail, "Make room there, or have PEDIGREE_CACHE name a folder on a larger disk.") from error


async def read_form(request: Request, archive: Path, labels: Path, *, max_bytes: int) -> Form:
    """Read a multipart body: the parts ``archive`` and ``labels`` go to files, the others are short texts.

    Raises:
        UnsupportedMedia: the body is no multipart form.
        InvalidRequest, BodyUnreadable: the form is broken or has parts that are too large.
        PayloadTooLarge: the archive has more than ``max_bytes``, or the labels more than are read.
    """
    stated = request.headers.get("content-type", "")
    # Parsing takes time quadratic in the length.
    kind, options = parse_options_header(stated if len(stated) <= MAX_HEADER_BYTES else None)
    boundary = options.get(b"boundary")
    if kind != FORM.encode() or not boundary:
        raise UnsupportedMedia("the body is not multipart/form-data", FORM_HINT)
    with archive.open("wb") as file, labels.open("wb") as beside:
        parts = {
            "archive": _FilePart(file, max_bytes, UPLOAD_HINT),
            "labels": _FilePart(beside, MAX_LABELS_BYTES, LABELS_HINT),
        }
        try:
            reader = _FormReader(boundary, parts)
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

    def __init__(self, boundary: bytes, files: Mapping[str, _FilePart]) -> None:
        self.form = Form()
        self.ended = False
        self._files = files
        self._name = ""
        self._text = bytearray()
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._encoding = b""
        self._decoder = Plain()
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
        self._encoding = b""
        self._text.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header, data[start:end], MAX_HEADER_BYTES)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end], MAX_HEADER_BYTES)

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        if self._header.lower() == b"content-transfer-encoding":
            self._encoding = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        part = self._files.get(self._name)
        if self._name in self.form.fields or (part is not None and part.bytes is not None):
            raise InvalidRequest(f"the form has more than one part {self._name[:80]!r}", "Send it once.")
        if len(self.form.fields) >= MAX_FIELDS:
            raise InvalidRequest(f"the form has more than {MAX_FIELDS} fields", "Send only the fields that this takes.")
        if b"filename" in options and part is None:
            raise _not_a_file(self._name)
        self._decoder = decoder_for(self._encoding.decode("latin-1"), self._name)
        if part is not None:
            part.bytes = 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._take(self._decoder.feed(data[start:end]))

    def _take(self, data: bytes) -> None:
        part = self._files.get(self._name)
        if part is None:
            self._grow(self._text, data, MAX_FIELD_BYTES)
            return
        part.bytes = (part.bytes or 0) + len(data)
        if part.bytes > part.most:
            raise PayloadTooLarge(f"the part `{self._name}` is over the limit of {part.most} bytes", part.hint)
        part.file.write(data)

    def _end(self) -> None:
        self._take(self._decoder.end())
        if self._name not in self._files:
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _finish(self) -> None:
        self.ended = True
        self.form.archive_bytes, self.form.labels_bytes = self._files["archive"].bytes, self._files["labels"].bytes

    def _grow(self, buffer: bytearray, data: bytes, limit: int) -> None:
        buffer.extend(data)
        if len(buffer) > limit:
            detail = f"a part of the form beside the archive, or a part's head, is over {limit} bytes"
            raise InvalidRequest(detail, "Shorten the field, or the file's name.")


def _not_a_file(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"the form has a file as part {name[:80]!r}, which is neither `archive` nor `labels`",
        "Send it as a part `archive`, as `curl -F archive=@pets.zip -F name=pets` does.",
    )
