"""A zip's list of entries, looked at before it is taken apart.

What an archive's end says of that list proves nothing: readers find the end in different ways. So it is looked at where
zipfile reads it.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import IO

from ml.errors import ArchiveRejected

DIRECTORY_BYTES = 64 << 20
"""A list of entries grows about tenfold in memory; half a million ordinary names fit."""
MOST_NAME_BYTES = 9 << 10
"""Of an entry: 32 folders of 255 bytes, and what lies between them."""
MOST_EXTRA_BYTES = 16 << 10
"""Of an entry; zipfile copies what is left of it for each of its fields."""
MOST_EXTRA_FIELDS = 64
"""Of an entry; the usual ones have two or three."""
_ENTRIES_BETWEEN = 1000
"""Entries between two looks at the budget."""
_SIGNATURE = b"PK\x01\x02"
_HEADER = struct.Struct("<28x3H12x")
"""An entry's head (PKWARE's APPNOTE.TXT 4.3.12); the lengths of its name, extra fields and comment."""
_END = b"PK\x05\x06"
_WIDE_END, _WIDE_AT = b"PK\x06\x06", -76
"""The end record of the newer form, with what points to it behind it, before the end record (APPNOTE.TXT 4.3.14)."""
_END_BYTES = 76 + 22 + (1 << 16)
"""Both, with the longest comment (APPNOTE.TXT 4.3.16)."""
_END_COUNT, _WIDE_COUNT = struct.Struct("<10xH"), struct.Struct("<32xQ")
_MANY = 0xFFFF
_FIELD = struct.Struct("<2xH")
"""An extra field's head: the length of what follows it."""


class DirectoryGuard:
    """A zip's file, as zipfile reads it while it opens the archive; afterwards a file like others."""

    def __init__(self, file: IO[bytes], most_bytes: int, check_entries: Callable[[int], None]) -> None:
        """``check_entries`` is told how many entries there are, so far and at last, before objects are made of them."""
        self._file, self._most, self._check_entries = file, most_bytes, check_entries
        self.opening = True
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        """As a file does.

        Raises:
            ArchiveRejected: the list has too many bytes or entries, or one with too much beside its name, or whose
                name is none.
        """
        if not self.opening:
            return self._file.read(size)
        if size > self._most:
            detail = f"the zip's list of entries has {size} bytes, at most {self._most} are read"
            more = f" An import reads {DIRECTORY_BYTES}." if self._most < DIRECTORY_BYTES else ""
            raise ArchiveRejected(detail, hint=f"Pack fewer files, or send a tar.{more}")
        data = self._file.read(size)
        if data.startswith(_SIGNATURE):
            for count in _entries_in(data):
                self._check_entries(count)
        return data


def _entries_in(directory: bytes) -> Iterator[int]:
    """How many there are so far, now and then, at last how many in all."""
    at = count = 0
    while directory.startswith(_SIGNATURE, at) and at + _HEADER.size <= len(directory):
        count += 1
        name, extra, comment = _HEADER.unpack_from(directory, at)
        if extra > MOST_EXTRA_BYTES:
            raise _too_much(f"{extra} bytes", MOST_EXTRA_BYTES)
        at += _HEADER.size
        _check_name(directory, at, at + name)
        at += name
        _check_fields(directory, at, at + extra)
        at += extra + comment
        if count % _ENTRIES_BETWEEN == 0:
            yield count
    yield count


def check_count(file: IO[bytes], entries: int) -> None:
    """Hold a zip's list against what its end says of it: a damaged list swallows entries.

    Raises:
        ArchiveRejected: they differ.
    """
    file.seek(0, io.SEEK_END)
    file.seek(-min(file.tell(), _END_BYTES), io.SEEK_END)
    tail = file.read(_END_BYTES)
    at = tail.rfind(_END)
    if at < 0 or at + _END_COUNT.size > len(tail):
        return
    said, most = _END_COUNT.unpack_from(tail, at)[0], _MANY
    wide = at + _WIDE_AT
    if said == _MANY and wide >= 0 and tail.startswith(_WIDE_END, wide):
        said, most = _WIDE_COUNT.unpack_from(tail, wide)[0], entries
    # An older program left off what did not fit.
    if said not in {entries, entries & most}:
        detail = f"the zip's end says that it has {said} entries, and its list has {entries}"
        raise ArchiveRejected(detail, hint="Make it again.")


def _check_name(directory: bytes, at: int, end: int) -> None:
    """Raise ArchiveRejected where a name is longer than any path, or goes on behind a NUL, where it would be cut."""
    if end - at > MOST_NAME_BYTES:
        detail = f"an entry of the zip has a name of {end - at} bytes, at most {MOST_NAME_BYTES} are read"
        raise ArchiveRejected(detail, hint="Use shorter names.")
    # Some programs count the mark of a text's end with it.
    while end > at + 1 and directory[end - 1] == 0:
        end -= 1
    if directory.find(b"\0", at, end) >= 0:
        shown = directory[at : min(end, at + 60)].decode("ascii", "backslashreplace")
        raise ArchiveRejected(f"the name {shown!r} of an entry has a NUL in it", hint="Make the archive again.")


def _check_fields(directory: bytes, at: int, end: int) -> None:
    """Raise ArchiveRejected where an entry has too many extra fields."""
    for _ in range(MOST_EXTRA_FIELDS):
        if at + _FIELD.size > end:
            return
        at += _FIELD.size + _FIELD.unpack_from(directory, at)[0]
    if at + _FIELD.size <= end:
        raise _too_much(f"more than {MOST_EXTRA_FIELDS} fields", MOST_EXTRA_FIELDS)


def _too_much(what: str, most: int) -> ArchiveRejected:
    detail = f"an entry of the zip has {what} beside its name, at most {most} are read"
    return ArchiveRejected(detail, hint="Make the archive again with another program.")
