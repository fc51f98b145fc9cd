"""What stands before an entry of a tar, looked at before tarfile does.

It reads a header whole, whatever size that says, searches it in time that grows with the square of a run of digits, and
keeps names that overlap once for each.
"""

import re
from collections.abc import Iterator
from tarfile import (
    BLOCKSIZE,
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    SOLARIS_XHDTYPE,
    XGLTYPE,
    XHDTYPE,
    HeaderError,
    TarInfo,
)

from ml.errors import ArchiveRejected

MOST_BYTES = 64 << 10
"""Of all headers of one entry without attributes; the usual ones have one or two kB."""
MOST_ATTRIBUTE_BYTES = 1 << 20
"""Of its extended headers as they are written, with what a file has beside its content: attributes, rights."""
MOST_DIGITS = 300
"""In a row: more than any name, time or size has."""
_EXTENDED = frozenset({XHDTYPE, XGLTYPE, SOLARIS_XHDTYPE})
_WITH_DATA = _EXTENDED | {GNUTYPE_LONGNAME, GNUTYPE_LONGLINK}
"""Headers that tarfile reads on behind, before the next: any other is the entry's own, which is the last."""
_TYPE = slice(156, 157)
_CHECKSUM = slice(148, 156)
_MAGIC, _GNU = slice(257, 265), b"ustar  \0"
_PREFIX = 345
"""Where a POSIX header has the folders before a long name, and GNU's the times of a file in an incremental archive."""
_RECORD = re.compile(rb"(\d{1,6}) ([^=\n]{1,1000})=")
_USED = re.compile(rb"path|linkpath|size|hdrcharset|GNU\.sparse\..*")
"""Keys of the records that tell where an entry lies, how long it is and whether it has holes."""
_SPARSE = re.compile(rb"^\d+ GNU\.sparse\.", re.MULTILINE)
"""Any of these cuts or stretches what the file holds, a size alone too."""
NOT_SPARSE = "Make the archive again without --sparse (-S); bsdtar needs --no-read-sparse."
_OF_ONE = re.compile(rb"^\d+ (?:path|linkpath|size)=", re.MULTILINE)
_DIGITS_ALONE = bytes(byte if byte in b"0123456789" else 0x20 for byte in range(256))


class TarHeaders:
    """The headers of one entry, a read at a time."""

    def __init__(self) -> None:
        self._left, self._attributes_left = MOST_BYTES, MOST_ATTRIBUTE_BYTES
        self.last = b""
        """The last block that stands where a header does."""
        self._header = b""
        """The type of the header whose data is read next; empty where a header is."""
        self._size = 0
        """Of that data, in bytes."""
        self._kinds = bytearray()
        """Types of the headers of this entry so far."""

    def expect(self, size: int) -> None:
        """Said before so many bytes are read.

        Raises:
            ArchiveRejected: that is more than the headers of an entry have.
        """
        if self._header in _EXTENDED:
            if not 0 <= size <= self._attributes_left:
                raise _refusal("of an absurd size")
            self._attributes_left -= size
        else:
            self._spend(size)

    def passed(self, data: bytes) -> bytes:
        """What tarfile is to get of what was read: of an extended header the records that are used, else all.

        Raises:
            ArchiveRejected: it is an extended header whose records are not as they are to be written, or has too many,
                or one for all entries that says what only one of them can be.
        """
        header, self._header = self._header, b""
        if header in _EXTENDED:
            # What fills the last block may be anything.
            data = b"".join(_used(data[: self._size]))
            if _SPARSE.search(data):
                raise ArchiveRejected("a file of the archive is sparse", hint=NOT_SPARSE)
            if header == XGLTYPE and _OF_ONE.search(data):
                raise _refusal("for all its entries with the name or size of one")
            self._spend(len(data))
            if max(map(len, data.translate(_DIGITS_ALONE).split()), default=0) > MOST_DIGITS:
                raise _refusal(f"with more than {MOST_DIGITS} digits in a row")
        elif not header:
            self.last = data = _without_times(data)
            if len(data) == BLOCKSIZE and data[_TYPE] in _WITH_DATA:
                self._header, self._size = data[_TYPE], _size_in(data)
                self._check_kind()
        return data

    def _check_kind(self) -> None:
        """Raise ArchiveRejected at a second header of a kind: the entry of the first is lost, and has left its name."""
        kind = XHDTYPE if self._header == SOLARIS_XHDTYPE else self._header
        if kind in self._kinds and kind != XGLTYPE:
            raise _refusal("whose entry is lost: another of its kind comes before the next entry")
        self._kinds += kind

    def _spend(self, size: int) -> None:
        if not 0 <= size <= self._left:
            raise _refusal("of an absurd size")
        self._left -= size


def _size_in(header: bytes) -> int:
    try:
        return TarInfo.frombuf(header, "utf-8", "surrogateescape").size
    except HeaderError:
        # Nothing is read behind it.
        return 0


def _without_times(header: bytes) -> bytes:
    """What stands where a header is, without what tarfile would take for folders before the name, and is none."""
    if len(header) != BLOCKSIZE or header[_MAGIC] != _GNU or not header[_PREFIX]:
        return header
    try:
        TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except HeaderError:
        # A checksum that does not hold stays as it is.
        return header
    block = bytearray(header)
    block[_PREFIX] = 0
    block[_CHECKSUM] = b" " * 8
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def _used(data: bytes) -> Iterator[bytes]:
    at = 0
    while data[at : at + 1] not in {b"", b"\0"}:
        record = _RECORD.match(data, at)
        end = at + int(record[1]) if record else 0
        if record is None or end <= record.end() or data[end - 1 : end] != b"\n":
            raise _refusal("that breaks the form of its records")
        if _USED.fullmatch(record[2]):
            yield data[at:end]
        at = end
    if data.count(0, at) != len(data) - at:
        raise _refusal("with something behind its records")


def _refusal(what: str) -> ArchiveRejected:
    return ArchiveRejected(f"the archive has a header {what}", hint="Make it again with plain tar, without attributes.")
