"""Unpacking an archive that anyone may have made: what is odd is refused, and nothing half-unpacked is left."""

import errno
import lzma
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.cache_names import UNPACKING
from ml.disk import says_disk_full
from ml.errors import ArchiveRejected, DiskFull
from ml.unpack.archive_entry import Content, Entry, no_target
from ml.unpack.archive_kinds import Kind, entries_of, kind_of
from ml.unpack.entry_names import ZipNames
from ml.unpack.entry_paths import inside, path_of
from ml.unpack.listed_paths import named_twice
from ml.unpack.metered import LARGEST_READ, Budget
from ml.unpack.zip_directory import DIRECTORY_BYTES

MAX_BYTES = 8 << 30
MAX_FILES = 200_000
_XZ_MEMORY_OF_A_LOOK = 72 << 20
"""`xz -9` needs 65 MiB to unpack. Looks are taken in a process that has other work."""
_FOLDER_BYTES = 4096
"""That a folder takes of a disk, about."""
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
_OF_THE_ARCHIVE = frozenset({None, errno.EILSEQ, errno.EINVAL, errno.EMLINK, errno.ENAMETOOLONG})
"""Numbers of system errors that come of what an archive holds; bz2 and gzip tell of broken data without a number."""
_MOST_SAID = 300
"""Letters of a library's sentence, which may quote a name of 64 KiB."""
OnProgress = Callable[[int, int], None]


def extract_archive(
    archive: Path,
    into: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    encoding: str | None = None,
    on_progress: OnProgress | None = None,
) -> str | None:
    """Unpack a zip or a tar (plain, gz, bz2, xz) into a new folder.

    Args:
        archive: the file; its content says what it is, not its name.
        into: a folder that does not exist yet or is empty.
        max_bytes: of all files together, unpacked.
        max_files: entries of any kind, and folders that are made for them.
        encoding: of names that do not say theirs, one of ml.unpack.entry_names' list; None: UTF-8, and in a zip cp437
            where they are not that.
        on_progress: called with bytes of the archive read and bytes in all; what it raises ends the unpacking.

    Returns:
        A sentence about names whose encoding was guessed, or None.

    Raises:
        ArchiveRejected: no archive, broken, encrypted, too large, a bomb, or with an entry that is a link, a device,
            without a name, named twice, or named outside the folder. Nothing is left behind. A further name of a file
            (a tar's hard link) is one where that file lies before it in the archive.
        DiskFull: the disk does not hold the content. Nothing is left behind.
        OSError: the machine's own failure, which says nothing about the archive. Nothing is left behind.
    """
    with _told(), _scratch_beside(into) as scratch, archive.open("rb") as file:
        packed = archive.stat().st_size

        def tell() -> None:
            if on_progress is not None:
                on_progress(file.tell(), packed)

        budget = Budget(max_bytes, max_files, packed=packed, tell=tell)
        target = scratch / "content"
        target.mkdir()
        names, folders = ZipNames(encoding), _Folders(target, budget)
        for entry in entries_of(file, kind_of(file), budget, names, encoding):
            budget.entry()
            _write(target, entry, folders, budget)
        target.replace(into)
    return names.note()


class OpenArchive:
    """The entries of an archive, one after the other; nothing is written."""

    def __init__(self, kind: Kind, entries: Iterator[Entry], budget: Budget, names: ZipNames) -> None:
        self.kind = kind
        self._entries, self._budget, self._names = entries, budget, names

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        entry = next(self._entries)
        self._budget.entry()
        return entry

    def note(self) -> str | None:
        """A sentence about names so far whose encoding was guessed, or None."""
        return self._names.note()


@contextmanager
def open_entries(
    archive: Path,
    *,
    max_bytes: int,
    max_files: int,
    encoding: str | None,
    tell: OnProgress,
    directory_bytes: int = DIRECTORY_BYTES,
) -> Iterator[OpenArchive]:
    """The entries of an archive.

    Args:
        archive: as for extract_archive.
        max_bytes: as there.
        max_files: as there.
        encoding: as there.
        tell: called with bytes of the archive read and bytes in all; what it raises ends the reading.
        directory_bytes: the most that a zip's list of entries may have.

    Raises:
        ArchiveRejected: as extract_archive.
        OSError: the file is gone, or cannot be read.
    """
    with archive.open("rb") as file, _told():
        packed = os.fstat(file.fileno()).st_size
        budget = Budget(max_bytes, max_files, packed=packed, tell=lambda: tell(file.tell(), packed))
        kind, names = kind_of(file), ZipNames(encoding)
        entries = entries_of(file, kind, budget, names, encoding, directory_bytes, _XZ_MEMORY_OF_A_LOOK)
        yield OpenArchive(kind, entries, budget, names)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ArchiveRejected(f"the archive is broken or cut short: {_cut(error)}", hint="Make it again.") from error
    except RuntimeError as error:
        # zipfile's words for a password and for an unknown compression.
        raise ArchiveRejected(f"the archive cannot be unpacked: {_cut(error)}") from error
    except OSError as error:
        if says_disk_full(error):
            raise DiskFull("the disk does not hold the unpacked archive", hint="Free space.") from error
        # A connection's failure may come without a number, of whoever is told how far it is.
        if error.errno not in _OF_THE_ARCHIVE or isinstance(error, (ConnectionError, TimeoutError)):
            raise
        raise ArchiveRejected(f"the archive cannot be unpacked: {error.strerror or _cut(error)}") from error


def _cut(error: Exception) -> str:
    said = str(error)
    return said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}…"


@contextmanager
def _scratch_beside(into: Path) -> Iterator[Path]:
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=UNPACKING) as scratch:
        yield Path(scratch)


class _Folders:
    """Makes folders; each counts as an entry does, and with the bytes that it takes.

    Which there are is asked of the disk: a set of them would take more memory than an archive may.
    """

    def __init__(self, target: Path, budget: Budget) -> None:
        self._last = target
        self._budget = budget

    def make(self, folder: Path, *, is_entry: bool = False) -> None:
        """A folder below the target, with those above it; ``is_entry``: it is counted as an entry already."""
        if folder == self._last:
            return
        missing, above = [], folder
        while not self._made(above, is_counted=is_entry and above is folder):
            missing.append(above)
            above = above.parent
        for one in reversed(missing):
            self._made(one, is_counted=is_entry and one is folder)
        self._last = folder

    def _made(self, folder: Path, *, is_counted: bool) -> bool:
        """Whether it is there now; False where the one above it is not."""
        try:
            folder.mkdir()
        except FileNotFoundError:
            return False
        except FileExistsError:
            if not folder.is_dir():
                raise
            return True
        if not is_counted:
            self._budget.entry()
        self._budget.spend(_FOLDER_BYTES)
        return True


def _write(target: Path, entry: Entry, folders: _Folders, budget: Budget) -> None:
    path = target / path_of(entry)
    try:
        if entry.is_folder:
            folders.make(path, is_entry=True)
            return
        folders.make(path.parent)
        if entry.same_as is not None:
            _link(target, path, entry, budget)
        elif entry.content is not None:
            _copy(entry.content, path, budget)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise named_twice(entry.name) from None


def _copy(content: Content, path: Path, budget: Budget) -> None:
    with path.open("xb") as file:
        while chunk := content.read(LARGEST_READ):
            budget.spend(len(chunk))
            file.write(chunk)


def _link(target: Path, path: Path, entry: Entry, budget: Budget) -> None:
    """Give a file that was unpacked before a further name; its size counts again, and a copy as what was unpacked."""
    first = _unpacked(target, entry.same_as or "")
    if first is None:
        raise no_target(entry)
    try:
        path.hardlink_to(first)
    except FileExistsError:
        raise
    except OSError:
        # Some disks know no further names, others only so many of a file.
        with first.open("rb") as content, path.open("xb") as copy:
            while chunk := content.read(LARGEST_READ):
                budget.spend(len(chunk))
                copy.write(chunk)
    else:
        budget.repeat(first.stat().st_size)


def _unpacked(target: Path, name: str) -> Path | None:
    """The file that was unpacked under a name; nothing but folders and plain files is ever made in there."""
    try:
        path = target / inside(name)
    except ArchiveRejected:
        return None
    return path if path.is_file() else None
