"""Archives written entry by entry, also with entries that no honest program writes."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

_MODE = 0o644
_REGULAR = 0o100000
_EPOCH = (2020, 1, 1, 0, 0, 0)
_BLOCK = 512


@dataclass(frozen=True)
class Packed:
    """An entry; ``kind`` is tar's, ``target`` is where a link leads."""

    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""


_ZIP_MODES = {
    tarfile.REGTYPE: _REGULAR,
    tarfile.LNKTYPE: _REGULAR,
    tarfile.SYMTYPE: 0o120000,
    tarfile.CHRTYPE: 0o020000,
    tarfile.BLKTYPE: 0o060000,
    tarfile.DIRTYPE: 0o040000,
    tarfile.FIFOTYPE: 0o010000,
}


def zipped(entries: list[Packed], method: int) -> bytes:
    """As a zip; what a link leads to is its content there."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for entry in entries:
            about = zipfile.ZipInfo("x", _EPOCH)
            about.filename = entry.name.encode("utf-8", "replace").decode()
            about.external_attr = (_ZIP_MODES.get(entry.kind, _REGULAR) | _MODE) << 16
            about.compress_type = method
            archive.writestr(about, entry.content or entry.target.encode("utf-8", "replace"))
    return out.getvalue()


def tarred(entries: list[Packed], form: int) -> bytes:
    """As a tar without compression."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as archive:
        for entry in entries:
            about = tarfile.TarInfo(entry.name)
            about.type, about.linkname, about.mode = entry.kind, entry.target, _MODE
            about.size = len(entry.content) if entry.kind == tarfile.REGTYPE else 0
            archive.addfile(about, io.BytesIO(entry.content) if about.size else None)
    return out.getvalue()


def with_header_checksums(tar: bytes) -> bytes:
    """A tar whose headers have the right checksums, as far as they stand where they should."""
    whole, at = bytearray(tar), 0
    while at + _BLOCK <= len(whole) and whole[at]:
        head = whole[at : at + _BLOCK]
        head[148:156] = b" " * 8
        whole[at + 148 : at + 156] = b"%06o\0 " % sum(head)
        said = bytes(head[124:136]).strip(b" \0")
        size = int(said, 8) if said and all(48 <= digit < 56 for digit in said) else 0  # noqa: PLR2004
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
    return bytes(whole)


def overlapping_zip(content: bytes, times: int) -> bytes:
    """A zip whose list names one and the same content again and again."""
    whole = zipped([Packed("breed/x_1.jpg", content)], zipfile.ZIP_DEFLATED)
    start = whole.index(b"PK\x01\x02")
    end = whole.rindex(b"PK\x05\x06")
    listed = b""
    for number in range(times):
        name = b"breed/x_%05d.jpg" % number
        entry = bytearray(whole[start:end])
        entry[28:30] = struct.pack("<H", len(name))
        listed += bytes(entry[:46]) + name
    tail = bytearray(whole[end:])
    tail[8:12] = struct.pack("<2H", times & 0xFFFF, times & 0xFFFF)
    tail[12:16] = struct.pack("<I", len(listed))
    return whole[:start] + listed + bytes(tail)


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": lambda tar: gzip.compress(tar, 6, mtime=0),
    "tar.bz2": bz2.compress,
    "tar.xz": lambda tar: lzma.compress(tar, preset=1),
}
METHODS = {
    "zip": zipfile.ZIP_DEFLATED,
    "zip, stored": zipfile.ZIP_STORED,
}
TAR_FORMATS = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
