"""A zip's list of entries, looked at before it is taken apart.

What an archive's end says of that list proves nothing: readers find the end in different ways. So it is looked at where
zipfile reads it.
"""

import struct
from collections.abc import Callable
from typing import IO

from ml.errors import ArchiveRejected

DIRECTORY_BYTES = 64 << 20
"""A list of entries grows about tenfold in memory; half a million ordinary names fit."""
MOST_EXTRA_BYTES = 16 << 10
"""Of an entry; zipfile copies what is left of it for each of its fields."""
_SIGNATURE = b"PK\x01\x02"
_HEADER = struct.Struct("<28x3H12x")
"""An entry's head (PKWARE's APPNOTE.TXT 4.3.12); the lengths of its name, extra fields and comment."""


class DirectoryGuard:
    """A zip's file, as zipfile reads it while it opens the archive; afterwards a file like others."""

    def __init__(self, file: IO[bytes], most_bytes: int, check_entries: Callable[[int], None]) -> None:
        """``check_entries`` is told how many entries there are before zipfile makes an object of each."""
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
            raise ArchiveRejected(detail, hint="Pack fewer files, or send a tar.")
        data = self._file.read(size)
        if data.startswith(_SIGNATURE):
            self._check_entries(_entries_in(data))
        return data


def _entries_in(directory: bytes) -> int:
    at = count = 0
    while directory.startswith(_SIGNATURE, at) and at + _HEADER.size <= len(directory):
        count += 1
        name, extra, comment = _HEADER.unpack_from(directory, at)
        if extra > MOST_EXTRA_BYTES:
            detail = f"an entry of the zip has {extra} bytes beside its name, at most {MOST_EXTRA_BYTES} are read"
            raise ArchiveRejected(detail, hint="Make the archive again with another program.")
        at += _HEADER.size + name + extra + comment
    return count
