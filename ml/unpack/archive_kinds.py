"""Which kind of archive a file is: its content says so, never its name."""

import gzip
import re
import tarfile
from collections.abc import Iterator
from typing import IO, Literal

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry
from ml.unpack.entry_names import ZipNames
from ml.unpack.metered import LARGEST_READ, Budget, PackedReader
from ml.unpack.packed_streams import bzip2_streams, xz_streams
from ml.unpack.tar_entries import is_blank, is_tar, tar_entries
from ml.unpack.zip_directory import DIRECTORY_BYTES, is_last_part, one_part
from ml.unpack.zip_entries import zip_entries

Kind = Literal["zip", "tar", "gzip", "bzip2", "xz"]
XZ_MEMORY = 256 << 20
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08", b"PK00PK")
"""A first entry, an end without any (of either form), the marks of an archive that was or might have been split."""
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_OTHERS = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (.7z)", "7-Zip makes a .zip too."),
    (b"Rar!\x1a\x07", "a RAR archive (.rar)", "Unpack it, and make a .zip of the folder."),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard (.zst)", "`zstd -d` makes a plain .tar of it, which is read."),
    (b"\x5d\x00\x00", "packed by LZMA (.lzma)", "`xz -d` makes a plain .tar of it, which is read."),
    (b"LZIP", "packed by lzip (.lz)", "`lzip -d` makes a plain .tar of it, which is read."),
    (b"\x04\x22\x4d\x18", "packed by LZ4 (.lz4)", "`lz4 -d` makes a plain .tar of it, which is read."),
    (b"\x1f\x9d", "packed by compress (.Z)", "`gzip -d` makes a plain .tar of it, which is read."),
)
"""What begins an archive that is not read, what that is, and what to send."""
_OTHER_WAY = "Send a .zip or a .tar.gz."


def kind_of(file: IO[bytes]) -> Kind:
    """The kind of an archive; the file is at its beginning before and after.

    Raises:
        ArchiveRejected: it is none that is read.
    """
    head = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    # A tar begins with the name of its first entry, which may be anything: its checksum says what it is.
    if is_tar(head):
        return "tar"
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if _BZIP2.match(head):
        return "bzip2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    for mark, what, hint in _OTHERS:
        if head.startswith(mark):
            raise ArchiveRejected(f"the file is {what}, neither a zip nor a tar archive", hint=f"{_OTHER_WAY} {hint}")
    if is_last_part(file):
        raise one_part()
    raise _no_archive()


def entries_of(
    file: IO[bytes],
    kind: Kind,
    budget: Budget,
    names: ZipNames,
    encoding: str | None,
    directory_bytes: int = DIRECTORY_BYTES,
    xz_memory: int = XZ_MEMORY,
) -> Iterator[Entry]:
    """Each entry, in the order of the archive."""
    if kind == "zip":
        yield from zip_entries(file, budget, names, directory_bytes)
        return
    if kind == "tar":
        _check_blank(file, budget)
        yield from tar_entries(file, budget, encoding)
        return
    packed = PackedReader(file, budget)
    if kind == "gzip":
        with gzip.GzipFile(fileobj=packed, mode="rb") as stream:
            yield from tar_entries(stream, budget, encoding)
    elif kind == "bzip2":
        yield from tar_entries(bzip2_streams(packed), budget, encoding)
    else:
        yield from tar_entries(xz_streams(packed, xz_memory), budget, encoding)


def _check_blank(file: IO[bytes], budget: Budget) -> None:
    """Raise ArchiveRejected where a file begins with zeros, as an empty tar does, and does not go on so."""
    if is_blank(file.read(tarfile.BLOCKSIZE)):
        while data := file.read(LARGEST_READ):
            budget.tell()
            if data.strip(b"\0"):
                raise _no_archive()
    file.seek(0)


def _no_archive() -> ArchiveRejected:
    return ArchiveRejected("the file is neither a zip nor a tar archive", hint=_OTHER_WAY)
