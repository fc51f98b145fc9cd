"""A zip's list of entries, found, measured and read an entry at a time.

Zipfile makes objects of all entries before it gives one: of 200,000 they take 200 MB, and each time the garbage
collector goes through them it holds up whatever else runs.
"""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import PADDING

DIRECTORY_BYTES = 64 << 20
"""Half a million ordinary names fit."""
MOST_NAME_BYTES = 9 << 10
"""Of an entry: 32 folders of 255 bytes, and what lies between them."""
MOST_EXTRA_BYTES = 16 << 10
"""Of an entry."""
MOST_EXTRA_FIELDS = 64
"""Of an entry; the usual ones have two or three."""
_ENTRIES_BETWEEN = 1000
"""Entries between two looks at the budget."""
_SPLIT_MARK = 4
"""Bytes of the mark before the first entry of an archive that might have been split (APPNOTE.TXT 8.5.4)."""
_SIGNATURE = b"PK\x01\x02"
_HEADER = struct.Struct("<8xHH4xLLLHHH4xLL")
"""An entry's head (PKWARE's APPNOTE.TXT 4.3.12), of which these are read: flags, method, checksum, sizes packed and
unpacked, lengths of name, extra fields and comment, attributes, place."""
_END, _END_RECORD = b"PK\x05\x06", struct.Struct("<4xHH2xHLLH")
"""The end record (APPNOTE.TXT 4.3.16): its part and the list's, entries, bytes and place of the list, bytes of the
comment."""
_WIDE_END, _WIDE_RECORD = b"PK\x06\x06", struct.Struct("<32xQQQ")
_POINTER, _POINTER_RECORD = b"PK\x06\x07", struct.Struct("<4xL8xL")
"""The end record of the newer form, and what points to it behind it, before the end record (APPNOTE.TXT 4.3.14)."""
_WIDE_BYTES = 56 + 20
_END_BYTES = _WIDE_BYTES + 22 + (1 << 16)
"""All three, with the longest comment."""
_SEPARATOR = re.compile(rb"(?<=[\x00-\x7f])\\")
"""A backslash that is no second byte of a letter: the first byte of such a letter is none of ASCII."""
_SPLIT = b"PK\x07\x08"
"""What the first part of a zip of several parts begins with."""
_MANY = 0xFFFF
_HUGE = 0xFFFF_FFFF
_FIELD = struct.Struct("<HH")
_SIZES = 0x0001
"""The extra field with what does not fit into 32 bits."""
_WIDE = struct.Struct("<Q")


class Member(NamedTuple):
    """An entry as the list has it, ``packed`` and ``size`` in bytes; ``at`` is where its own header lies."""

    raw: bytes
    extra: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    attributes: int
    at: int


class _End(NamedTuple):
    """What an archive's end says: where the list lies by its own words (``said_at``) and by those of the file."""

    entries: int
    is_wide: bool
    bytes: int
    said_at: int
    at: int


class ZipDirectory:
    """A zip's list of entries, in the memory that its bytes take; ``packed`` and ``size`` are of all of them."""

    def __init__(self, file: IO[bytes], most_bytes: int, check_entries: Callable[[int], None]) -> None:
        """Read and measure it.

        Args:
            file: the zip.
            most_bytes: that the list may have.
            check_entries: told how many entries there are, so far and at last.

        Raises:
            ArchiveRejected: the list has too many bytes or entries, or others than the end says; an entry has too much
                beside its name, or a name that is none; something lies behind the archive's end or before its first
                entry, or entries share their bytes.
            zipfile.BadZipFile: it is broken.
        """
        length = file.seek(0, io.SEEK_END)
        self._end = _end_of(file, length)
        self._data = _read(file, self._end, most_bytes)
        self.count = self.packed = self.size = 0
        first, has_slash, has_backslash = self._end.at, False, False
        for member in self.members():
            self.count += 1
            has_slash = has_slash or b"/" in member.raw
            has_backslash = has_backslash or _SEPARATOR.search(member.raw) is not None
            self.packed += member.packed
            self.size += member.size
            first = min(first, member.at)
            _check_name(member.raw)
            if member.extra:
                _check_fields(member.extra)
            if self.count % _ENTRIES_BETWEEN == 0:
                check_entries(self.count)
        check_entries(self.count)
        self.backslashes_separate = has_backslash and not has_slash
        """Whether no name has a slash, and one a backslash that can be nothing else."""
        self._check_count()
        _check_start(first)
        if self.packed > length:
            detail = f"the zip's entries have {self.packed} packed bytes together, and the file has {length}"
            raise ArchiveRejected(detail, hint="Make it again.")

    def members(self) -> Iterator[Member]:
        """Each entry in the order of the list.

        Raises:
            zipfile.BadZipFile: the list is broken.
        """
        data, unpack, place = self._data, _HEADER.unpack_from, 0
        before = self._end.at - self._end.said_at
        # The Finder writes places and the list's own in 32 bits, however large the archive is: they start anew.
        starts_anew, last = before > 0 and before & _HUGE == 0, 0
        before = 0 if starts_anew else before
        while place < len(data):
            if not data.startswith(_SIGNATURE, place) or place + _HEADER.size > len(data):
                message = "an entry of its list does not begin as one"
                raise zipfile.BadZipFile(message)
            flags, method, checksum, packed, size, name, extra, comment, attributes, at = unpack(data, place)
            place += _HEADER.size
            raw, fields = data[place : place + name], data[place + name : place + name + extra]
            place += name + extra + comment
            if place > len(data):
                message = "the last entry of its list is cut short"
                raise zipfile.BadZipFile(message)
            if max(size, packed, at) == _HUGE:
                size, packed, at = _widened(fields, size, packed, at)
            if starts_anew and at + before < last:
                # Up to a whole number of times 4 GiB.
                before += -(-(last - at - before) >> 32) << 32
            last = at + before + packed
            yield Member(raw, fields, flags, method, checksum, packed, size, attributes, at + before)

    def _check_count(self) -> None:
        """Raise ArchiveRejected where the end says another number of entries: a damaged list swallows some."""
        said, count = self._end.entries, self.count
        # An older program left off what did not fit.
        if said != count and (self._end.is_wide or said != count & _MANY):
            detail = f"the zip's end says that it has {said} entries, and its list has {count}"
            raise ArchiveRejected(detail, hint="Make it again.")


def _end_of(file: IO[bytes], length: int) -> _End:
    tail, at = _tail_of(file, length)
    if at is None:
        file.seek(0)
        if file.read(len(_SPLIT)) == _SPLIT:
            raise one_part()
        message = "the end of its list is missing"
        raise zipfile.BadZipFile(message)
    part, list_part, count, size, said_at, comment = _END_RECORD.unpack_from(tail, at)
    if tail[at + 22 + comment :].strip(PADDING):
        detail = "something lies behind the end of the zip: another archive, or what a program has left there"
        raise ArchiveRejected(detail, hint="Send archives one by one, or make it again.")
    end, pointer, wide = max(0, length - _END_BYTES) + at, at - 20, at - _WIDE_BYTES
    is_wide = wide >= 0 and tail.startswith(_POINTER, pointer) and tail.startswith(_WIDE_END, wide)
    if is_wide:
        count, size, said_at = _WIDE_RECORD.unpack_from(tail, wide)
        end -= _WIDE_BYTES
        part, parts = _POINTER_RECORD.unpack_from(tail, pointer)
        if part or parts > 1:
            raise one_part()
    elif _is_of_several(part, list_part):
        raise one_part()
    return _End(count, is_wide, size, said_at, end - size)


def _tail_of(file: IO[bytes], length: int) -> tuple[bytes, int | None]:
    """A file's last bytes, and where in them the end record begins; None where there is none."""
    file.seek(max(0, length - _END_BYTES))
    tail = file.read(_END_BYTES)
    record = tail[-22:]
    # A comment may have the mark in it, one of no bytes has not.
    is_last = record.startswith(_END) and record.endswith(b"\0\0")
    at = len(tail) - len(record) if is_last else tail.rfind(_END)
    return tail, None if at < 0 or at + 22 > len(tail) else at


def _is_of_several(part: int, list_part: int) -> bool:
    """Whether an end record is of a zip of several parts, of which the first is 0; the newer form's says nothing."""
    return bool({part, list_part} - {0, _MANY})


def is_last_part(file: IO[bytes]) -> bool:
    """Whether a file ends as the last part of a zip does, which may begin with any bytes of its entries."""
    tail, at = _tail_of(file, file.seek(0, io.SEEK_END))
    return at is not None and _is_of_several(*_END_RECORD.unpack_from(tail, at)[:2])


def one_part() -> ArchiveRejected:
    """What is said of a part of a zip."""
    detail = "the file is one part of a zip that was split into several"
    return ArchiveRejected(detail, hint="Join them (`zip -s 0 parts.zip --out whole.zip`), and send the whole.")


def _read(file: IO[bytes], end: _End, most: int) -> bytes:
    if end.at < 0:
        message = "its list of entries would begin before the file"
        raise zipfile.BadZipFile(message)
    if end.bytes > most:
        detail = f"the zip's list of entries has {end.bytes} bytes, at most {most} are read"
        more = f" An import reads {DIRECTORY_BYTES}." if most < DIRECTORY_BYTES else ""
        raise ArchiveRejected(detail, hint=f"Pack fewer files, or send a tar.{more}")
    file.seek(end.at)
    return file.read(end.bytes)


def _check_start(first: int) -> None:
    """Raise ArchiveRejected where more than a mark lies before the first entry that the list has.

    Raises:
        zipfile.BadZipFile: that would lie before the file.
    """
    if first < 0:
        message = "an entry of its list would lie before the file"
        raise zipfile.BadZipFile(message)
    if first > _SPLIT_MARK:
        detail = f"another zip or a deleted entry lies before the first entry of the zip's list ({first} bytes)"
        raise ArchiveRejected(detail, hint="Send zips one by one, or make it again.")


def _check_name(raw: bytes) -> None:
    """Raise ArchiveRejected where a name is longer than any path, or goes on behind a NUL, where it would be cut."""
    if len(raw) > MOST_NAME_BYTES:
        detail = f"an entry of the zip has a name of {len(raw)} bytes, at most {MOST_NAME_BYTES} are read"
        raise ArchiveRejected(detail, hint="Use shorter names.")
    # Some programs count the mark of a text's end with it.
    if b"\0" in raw and b"\0" in (raw[:1] + raw[1:].rstrip(b"\0")):
        shown = raw[:60].decode("ascii", "backslashreplace")
        raise ArchiveRejected(f"the name {shown!r} of an entry has a NUL in it", hint="Make the archive again.")


def _check_fields(extra: bytes) -> None:
    """Raise ArchiveRejected where an entry has too many extra fields, or too long ones."""
    if len(extra) > MOST_EXTRA_BYTES:
        raise _too_much(f"{len(extra)} bytes", MOST_EXTRA_BYTES)
    at, count = 0, 0
    while at + _FIELD.size <= len(extra):
        count += 1
        if count > MOST_EXTRA_FIELDS:
            raise _too_much(f"more than {MOST_EXTRA_FIELDS} fields", MOST_EXTRA_FIELDS)
        at += _FIELD.size + _FIELD.unpack_from(extra, at)[1]


def _widened(extra: bytes, *values: int) -> Iterator[int]:
    """The values that are told in 32 bits, each that has none left read from the extra field for larger ones."""
    field, at = b"", 0
    while at + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if kind == _SIZES:
            field = extra[at : at + size]
            break
        at += size
    place = 0
    for value in values:
        if value == _HUGE and place + _WIDE.size <= len(field):
            yield _WIDE.unpack_from(field, place)[0]
            place += _WIDE.size
        else:
            yield value


def _too_much(what: str, most: int) -> ArchiveRejected:
    detail = f"an entry of the zip has {what} beside its name, at most {most} are read"
    return ArchiveRejected(detail, hint="Make the archive again with another program.")
