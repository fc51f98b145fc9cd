"""How large a zip's list of entries is, before anyone reads it (PKWARE's APPNOTE.TXT 4.3.14 to 4.3.16)."""

import os
import struct
from typing import IO

_END = b"PK\x05\x06"
_END_BYTES = 22
_SEE_64_BITS = 0xFFFFFFFF
_LONGEST_COMMENT = (1 << 16) - 1
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")


def directory_bytes(file: IO[bytes]) -> int:
    """Bytes of the central directory as the archive's end says, 0 where it has no end record.

    A reader takes the whole directory into memory, so a small file may ask for much: this is what to limit. The
    larger of what the ordinary and the 64-bit record say counts.
    """
    size = file.seek(0, os.SEEK_END)
    tail_at = max(0, size - _END_BYTES - _LONGEST_COMMENT)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return 0
    (promised,) = struct.unpack_from("<L", tail, at + 12)
    return max(int(promised) if promised != _SEE_64_BITS else 0, _in_64_bits(file, tail_at + at))


def _in_64_bits(file: IO[bytes], end_at: int) -> int:
    if end_at < _LOCATOR.size:
        return 0
    file.seek(end_at - _LOCATOR.size)
    signature, _, record_at, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if signature != b"PK\x06\x07" or record_at >= 1 << 62:
        return 0
    file.seek(record_at)
    record = file.read(_END64.size)
    if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
        return 0
    return int(_END64.unpack(record)[8])
