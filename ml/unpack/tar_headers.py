"""What stands before an entry of a tar, looked at before tarfile does.

It reads a header whole, whatever size that says, searches it in time that grows with the square of a run of digits, and
keeps names that overlap once for each.
"""

import re
from tarfile import BLOCKSIZE

from ml.errors import ArchiveRejected

MOST_BYTES = 64 << 10
"""Of all headers of one entry; the usual ones have one or two kB."""
MOST_DIGITS = 300
"""In a row: more than any name, time or size has."""
_PAX_TYPES = frozenset({b"x", b"g", b"X"})
_TYPE = slice(156, 157)
_RECORD = re.compile(rb"(\d{1,6}) [^=\n]{1,1000}=")
_DIGITS_ALONE = bytes(byte if byte in b"0123456789" else 0x20 for byte in range(256))


class TarHeaders:
    """The headers of one entry, a read at a time."""

    def __init__(self) -> None:
        self._left = MOST_BYTES
        self._is_pax = False

    def expect(self, size: int) -> None:
        """Said before so many bytes are read.

        Raises:
            ArchiveRejected: that is more than the headers of an entry have.
        """
        if size > self._left:
            raise _refusal("of an absurd size")
        self._left -= size

    def look_at(self, data: bytes) -> None:
        """Said of what was read.

        Raises:
            ArchiveRejected: it is an extended header whose records are not as they are to be written.
        """
        if self._is_pax:
            _check_records(data)
            self._is_pax = False
        else:
            self._is_pax = len(data) == BLOCKSIZE and data[_TYPE] in _PAX_TYPES


def _check_records(data: bytes) -> None:
    if max(map(len, data.translate(_DIGITS_ALONE).split()), default=0) > MOST_DIGITS:
        raise _refusal(f"with more than {MOST_DIGITS} digits in a row")
    at = 0
    while data[at : at + 1] not in {b"", b"\0"}:
        record = _RECORD.match(data, at)
        end = at + int(record[1]) if record else 0
        if record is None or end <= record.end() or data[end - 1 : end] != b"\n":
            raise _refusal("that breaks the form of its records")
        at = end


def _refusal(what: str) -> ArchiveRejected:
    return ArchiveRejected(f"the archive has a header {what}", hint="Make it again with plain tar, without attributes.")
