"""Unpacking an archive that anyone may have made: what is odd is refused, and nothing half-unpacked is left."""

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ml.disk import says_disk_full
from ml.errors import ArchiveRejected, DiskFull
from ml.metered import Budget, ByteStream, MeteredReader
from ml.zip_directory import directory_bytes

MAX_BYTES = 8 << 30
MAX_FILES = 200_000
_CHUNK = 1 << 20
_XZ_MEMORY = 256 << 20
_ENCRYPTED = 0x1
_NAME_BYTES = 255
_DEPTH = 32
_DIRECTORY_BYTES = 64 << 20
"""A list of entries grows about tenfold in memory; half a million ordinary names fit."""
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
    ValueError,
    OverflowError,
    LookupError,
    struct.error,
)
OnProgress = Callable[[int, int], None]


def extract_archive(
    archive: Path,
    into: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    on_progress: OnProgress | None = None,
) -> None:
    """Unpack a zip or a tar (plain, gz, bz2, xz) into a new folder.

    Args:
        archive: the file; its content says what it is, not its name.
        into: a folder that does not exist yet or is empty.
        max_bytes: of all files together, unpacked.
        max_files: entries of any kind.
        on_progress: called with bytes of the archive read and bytes in all; what it raises ends the unpacking.

    Raises:
        ArchiveRejected: no archive, broken, encrypted, too large, a bomb, or with an entry that is a link, a device,
            without a name, named twice, or named outside the folder. Nothing is left behind.
        DiskFull: the disk does not hold the content. Nothing is left behind.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=into.parent, prefix=".unpack-") as scratch,
        _told(),
        archive.open("rb") as file,
    ):
        packed = archive.stat().st_size

        def tell() -> None:
            if on_progress is not None:
                on_progress(file.tell(), packed)

        budget = Budget(max_bytes, max_files, packed=packed, tell=tell)
        target = Path(scratch) / "content"
        target.mkdir()
        for name, content in _entries(file, budget):
            budget.entry()
            _write(target, name, content, budget)
        target.replace(into)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ArchiveRejected(f"the archive is broken or cut short: {error}", hint="Make it again.") from error
    except RuntimeError as error:
        # zipfile's words for a password and for an unknown compression.
        raise ArchiveRejected(f"the archive cannot be unpacked: {error}") from error
    except OSError as error:
        if says_disk_full(error):
            raise DiskFull("the disk does not hold the unpacked archive", hint="Free space.") from error
        # bz2 and gzip report broken data as an OSError without a number.
        raise ArchiveRejected(f"the archive cannot be unpacked: {error.strerror or error}") from error


def _entries(file: IO[bytes], budget: Budget) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Each entry's name and content (None for a folder)."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"PK"):
        yield from _zip_entries(file, budget)
    elif magic.startswith(b"\x1f\x8b"):
        with gzip.open(file) as stream:
            yield from _tar_entries(stream, budget)
    elif magic.startswith(b"BZh"):
        with bz2.open(file) as stream:
            yield from _tar_entries(stream, budget)
    elif magic == b"\xfd7zXZ\0":
        _check_xz(file)
        with lzma.open(file) as stream:
            yield from _tar_entries(stream, budget)
    elif tarfile.is_tarfile(file):
        file.seek(0)
        yield from _tar_entries(file, budget)
    else:
        raise ArchiveRejected("the file is neither a zip nor a tar archive", hint="Send a .zip or a .tar.gz.")


def _zip_entries(file: IO[bytes], budget: Budget) -> Iterator[tuple[str, IO[bytes] | None]]:
    listed = directory_bytes(file)
    if listed > _DIRECTORY_BYTES:
        detail = f"the zip's list of entries has {listed} bytes, at most {_DIRECTORY_BYTES} are read"
        raise ArchiveRejected(detail, hint="Pack fewer files, or send a tar.")
    file.seek(0)
    with zipfile.ZipFile(file) as packed:
        members = packed.infolist()
        # The list lies at the end; progress begins at the front.
        file.seek(0)
        budget.promised(sum(member.file_size for member in members), len(members))
        for member in members:
            if member.flag_bits & _ENCRYPTED:
                raise ArchiveRejected(f"{member.filename!r} is encrypted", hint="Make the archive without a password.")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _no_file(member.filename)
            if not member.filename:
                # ZipFile cuts a name at its first NUL, and Python 3.11's is_dir fails on what is left of it here.
                raise ArchiveRejected("an entry of the archive has no name", hint="Name every entry.")
            if member.is_dir():
                yield member.filename, None
                continue
            with packed.open(member) as content:
                yield member.filename, content


def _tar_entries(unpacked: ByteStream, budget: Budget) -> Iterator[tuple[str, IO[bytes] | None]]:
    reader = MeteredReader(unpacked, budget)
    with tarfile.open(fileobj=reader, mode="r:") as tar:
        for member in tar:
            if member.isdir():
                yield member.name, None
                continue
            content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if content is None:
                raise _no_file(member.name)
            yield member.name, content
            # What tarfile keeps for random access would grow with the archive.
            tar.members = []  # type: ignore[attr-defined]  # not in the stub
            tar.pax_headers = {}
    if reader.ended_early:
        raise ArchiveRejected("the archive is cut short: its end mark is missing", hint="Make it again.")
    while reader.read(_CHUNK):
        """The rest is padding; reading it lets the decompressor verify its checksum."""


def _write(target: Path, name: str, content: IO[bytes] | None, budget: Budget) -> None:
    path = target / _inside(name)
    if content is not None and path == target:
        raise ArchiveRejected(f"a file of the archive has no name ({name!r})", hint="Name every entry.")
    try:
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while chunk := content.read(_CHUNK):
                budget.spend(len(chunk))
                file.write(chunk)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        detail = f"{name!r} is in the archive twice, or as a file and as a folder"
        raise ArchiveRejected(detail, hint="Name every entry once.") from None


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise ArchiveRejected(f"{name!r} is named outside the archive's own folder", hint="Use relative names.")
    if any(len(part.encode("utf-8", "surrogateescape")) > _NAME_BYTES for part in path.parts):
        raise ArchiveRejected(f"the name {name[:60]!r}… is too long", hint=f"Keep names under {_NAME_BYTES} bytes.")
    if len(path.parts) > _DEPTH:
        raise ArchiveRejected(f"{name[:60]!r}… nests deeper than {_DEPTH} folders", hint="Pack flatter folders.")
    return path


def _check_xz(file: IO[bytes]) -> None:
    # The header may ask for gigabytes of dictionary; the file class has no limit for it.
    lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(file.read(_CHUNK), max_length=_CHUNK)
    file.seek(0)


def _no_file(name: str) -> ArchiveRejected:
    detail = f"{name!r} is a link, a device or a sparse file"
    return ArchiveRejected(detail, hint="Pack plain files and folders only (tar --dereference follows links).")
