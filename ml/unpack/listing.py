"""The names in an archive, read without unpacking it."""

import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from ml.unpack.archive import MAX_BYTES, MAX_FILES, open_entries
from ml.unpack.archive_entry import Entry
from ml.unpack.entry_paths import path_of

MAX_LIST_BYTES = 8 << 20
MAX_NAMES_BYTES = 16 << 20
"""Of all names that are listed; the rest is left out, as where time runs out."""
DIRECTORY_BYTES = 24 << 20
"""Of a zip's list of entries: 200,000 names of 70 bytes fit. An import has a process of its own, and reads more."""
_MOST_TABLES = 5
"""Beside the usual list of labels and the one that is asked for."""
_TABLES = (".csv", ".tsv")
_USUAL = "labels.csv"


@dataclass
class Listing:
    """Paths of files as an import would unpack them.

    ``complete`` is false where time or room ran out. ``tables`` holds the content of tables among the files: the one
    that was asked for, the first labels.csv, and the first few others; ``too_large`` has the paths of those among them
    that have more than ``MAX_LIST_BYTES``. ``bytes`` counts names and tables. Bytes of a path that are in no known
    encoding are surrogates.
    """

    names: list[str] = field(default_factory=list)
    tables: dict[str, bytes] = field(default_factory=dict)
    too_large: set[str] = field(default_factory=set)
    complete: bool = True
    bytes: int = 0

    def has_looked_at(self, table: str) -> bool:
        """Whether all is known of a table that can be: its content is held or too large, or there is none."""
        return table in self.tables or table in self.too_large or table not in self.names


class _Enough(Exception):
    """The time or the room for reading is over."""


def list_archive(
    archive: Path,
    *,
    seconds: float,
    encoding: str | None = None,
    max_bytes: int = MAX_BYTES,
    table: str | None = None,
) -> Listing:
    """The names of an archive's files.

    A zip's stand in its directory. In a tar they lie between the contents, which a packed one has to be unpacked for.

    Args:
        archive: the file; its content says what it is.
        seconds: after which no more is read.
        encoding: of names that do not say theirs.
        max_bytes: of all files together, unpacked.
        table: the path of one whose content is wanted.

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
                _take(entry, found, table)
    except _Enough:
        found.complete = False
    return found


def _take(entry: Entry, found: Listing, table: str | None) -> None:
    path = path_of(entry)
    name = path.as_posix()
    if entry.is_folder:
        return
    found.bytes += len(name.encode("utf-8", "surrogateescape"))
    if found.bytes - sum(map(len, found.tables.values())) > MAX_NAMES_BYTES:
        raise _Enough
    found.names.append(name)
    if (
        entry.content is not None
        and (name == table or name.lower().endswith(_TABLES))
        and _has_place(path, found, table)
    ):
        _hold(name, entry.content, found)


def _has_place(path: PurePosixPath, found: Listing, table: str | None) -> bool:
    """Whether a file is a table whose content is held; hidden ones are none, and take no place."""
    if path.as_posix() == table:
        return True
    if any(part.startswith(".") for part in path.parts):
        return False
    looked_at = [PurePosixPath(name) for name in (*found.tables, *found.too_large) if name != table]
    usual = sum(_is_usual(one) for one in looked_at)
    if _is_usual(path):
        return not usual
    return len(looked_at) - usual < _MOST_TABLES


def _is_usual(path: PurePosixPath) -> bool:
    return path.name.lower() == _USUAL


def _hold(name: str, content: IO[bytes], found: Listing) -> None:
    data = content.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        found.too_large.add(name)
        return
    found.tables[name] = data
    found.bytes += len(data)
