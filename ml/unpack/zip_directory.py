"""A zip's list of entries, looked at before it is taken apart.

What an archive's end says of that list proves nothing: readers find the end in different ways. So it is looked at where
zipfile reads it.
"""

import struct
from collections.abc import Callable, Iterator
from typing import IO

from ml.errors import ArchiveRejected

DIRECTORY_BYTES = 64 << 20
"""A list of entries grows about tenfold in memory; half a million ordinary names fit."""
MOST_EXTRA_BYTES = 16 << 10
"""Of an entry; zipfile copies what is left of it for each of its fields."""
MOST_EXTRA_FIELDS = 64
"""Of an entry; the usual ones have two or three."""
_ENTRIES_BETWEEN = 1000
"""Entries between two looks at the budget."""
_SIGNATURE = b"PK\x01\x02"
_HEADER = struct.Struct("<28x3H12x")
"""An entry's head (PKWARE's APPNOTE.TXT 4.3.12); the lengths of its name, extra fields and comment."""
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
            ArchiveRejected: the list has too many bytes or entries, or one with too much beside its name.
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
        at += _HEADER.size + name
        _check_fields(directory, at, at + extra)
        at += extra + comment
        if count % _ENTRIES_BETWEEN == 0:
            yield count
    yield count


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
