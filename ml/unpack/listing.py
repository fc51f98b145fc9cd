"""The names in an archive, read without unpacking it."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from ml.errors import ArchiveRejected
from ml.unpack.archive import MAX_BYTES, MAX_FILES, open_entries
from ml.unpack.archive_entry import Entry

MAX_LIST_BYTES = 8 << 20
_MOST_LISTS = 5
_TABLES = (".csv", ".tsv")


@dataclass
class Listing:
    """Names of files as they lie in an archive.

    ``complete`` is false where time ran out; ``tables`` holds the content of the first few tables among the files.
    """

    names: list[str] = field(default_factory=list)
    tables: dict[str, bytes] = field(default_factory=dict)
    complete: bool = True


class _OutOfTime(Exception):
    """The time for reading is over."""


def list_archive(archive: Path, *, seconds: float, encoding: str | None = None, max_bytes: int = MAX_BYTES) -> Listing:
    """The names of an archive's files.

    A zip's stand in its directory. In a tar they lie between the contents, which a packed one has to be unpacked for.

    Args:
        archive: the file; its content says what it is.
        seconds: after which no more is read.
        encoding: of names that do not say theirs.
        max_bytes: of all files together, unpacked.

    Raises:
        ArchiveRejected: it is no archive, or cannot be read so far as was looked.
    """
    until = time.monotonic() + seconds

    def tell(_done: int, _total: int) -> None:
        if time.monotonic() > until:
            raise _OutOfTime

    found = Listing()
    try:
        with open_entries(archive, max_bytes=max_bytes, max_files=MAX_FILES, encoding=encoding, tell=tell) as entries:
            for entry in entries:
                _take(entry, found)
    except _OutOfTime:
        found.complete = False
    return found


def _take(entry: Entry, found: Listing) -> None:
    if entry.is_folder:
        return
    name = entry.name.replace("\\", "/").removeprefix("./")
    found.names.append(name)
    if name.lower().endswith(_TABLES) and entry.content is not None and len(found.tables) < _MOST_LISTS:
        found.tables[name] = _content(entry)


def _content(entry: Entry) -> bytes:
    assert entry.content is not None  # noqa: S101 - the caller looked
    data = entry.content.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        detail = f"the table {entry.name!r} has more than {MAX_LIST_BYTES} bytes and cannot be tried"
        raise ArchiveRejected(detail, hint="Import it without a trial.")
    return data
