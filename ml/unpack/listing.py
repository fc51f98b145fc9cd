"""The names in an archive, read without unpacking it."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from ml.errors import ArchiveRejected
from ml.unpack.archive import MAX_BYTES, MAX_FILES, open_entries
from ml.unpack.archive_entry import Entry
from ml.unpack.entry_paths import path_of

MAX_LIST_BYTES = 8 << 20
MAX_NAMES_BYTES = 16 << 20
"""Of all names that are listed; the rest is left out, as where time runs out."""
DIRECTORY_BYTES = 24 << 20
"""Of a zip's list of entries: 200,000 names of 70 bytes fit. An import has a process of its own, and reads more."""
_MOST_LISTS = 5
_TABLES = (".csv", ".tsv")


@dataclass
class Listing:
    """Paths of files as an import would unpack them.

    ``complete`` is false where time or room ran out; ``tables`` holds the content of the first few tables among the
    files, and ``bytes`` counts both. Bytes of a path that are in no known encoding are surrogates.
    """

    names: list[str] = field(default_factory=list)
    tables: dict[str, bytes] = field(default_factory=dict)
    complete: bool = True
    bytes: int = 0


class _Enough(Exception):
    """The time or the room for reading is over."""


def list_archive(archive: Path, *, seconds: float, encoding: str | None = None, max_bytes: int = MAX_BYTES) -> Listing:
    """The names of an archive's files.

    A zip's stand in its directory. In a tar they lie between the contents, which a packed one has to be unpacked for.

    Args:
        archive: the file; its content says what it is.
        seconds: after which no more is read.
        encoding: of names that do not say theirs.
        max_bytes: of all files together, unpacked.

    Raises:
        ArchiveRejected: it is no archive, cannot be read so far as was looked, or has a path that no import takes.
    """
    until = time.monotonic() + seconds

    def tell(_done: int, _total: int) -> None:
        if time.monotonic() > until:
            raise _Enough

    found = Listing()
    try:
        with open_entries(
            archive,
            max_bytes=max_bytes,
            max_files=MAX_FILES,
            encoding=encoding,
            tell=tell,
            directory_bytes=DIRECTORY_BYTES,
        ) as entries:
            for entry in entries:
                _take(entry, found)
    except _Enough:
        found.complete = False
    return found


def _take(entry: Entry, found: Listing) -> None:
    name = path_of(entry).as_posix()
    if entry.is_folder:
        return
    found.bytes += len(name.encode("utf-8", "surrogateescape"))
    if found.bytes - sum(map(len, found.tables.values())) > MAX_NAMES_BYTES:
        raise _Enough
    found.names.append(name)
    if name.lower().endswith(_TABLES) and entry.content is not None and len(found.tables) < _MOST_LISTS:
        found.tables[name] = content = _content(entry)
        found.bytes += len(content)


def _content(entry: Entry) -> bytes:
    assert entry.content is not None  # noqa: S101 - the caller looked
    data = entry.content.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        detail = f"the table {entry.name!r} has more than {MAX_LIST_BYTES} bytes and cannot be tried"
        raise ArchiveRejected(detail, hint="Import it without a trial.")
    return data
