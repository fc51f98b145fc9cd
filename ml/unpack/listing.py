"""The names in an archive, read without unpacking it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ml.unpack.archive import MAX_BYTES, MAX_FILES, OpenArchive, open_entries
from ml.unpack.archive_entry import Content, Entry, no_target
from ml.unpack.entry_paths import inside, path_of
from ml.unpack.listed_paths import ListedPaths
from ml.unpack.reading_time import ReadingTime

MAX_LIST_BYTES = 8 << 20
MAX_NAMES_BYTES = 16 << 20
"""Of all paths that are listed, and of their folders'; the rest is left out, as where time runs out."""
DIRECTORY_BYTES = 24 << 20
"""Of a zip's list of entries: 200,000 names of 70 bytes fit. An import has a process of its own, and reads more."""
_MOST_TABLES = 5
"""Beside the usual list of labels and the one that is asked for."""
_TABLES = (".csv", ".tsv")
_USUAL = "labels.csv"


@dataclass
class Listing:
    """Paths of files as an import would unpack them.

    ``complete`` is false where time or room ran out, ``had_time`` where it was the time: another try may come further.
    ``tables`` holds the content of tables among the files: the one that was asked for, the first labels.csv, and the
    first few others; ``too_large`` has the paths of those among them that have more than ``MAX_LIST_BYTES``. ``bytes``
    counts names and tables. Bytes of a path that are in no known encoding are surrogates. ``note`` is a sentence about
    names whose encoding was guessed.
    """

    names: list[str] = field(default_factory=list)
    tables: dict[str, bytes] = field(default_factory=dict)
    too_large: set[str] = field(default_factory=set)
    complete: bool = True
    had_time: bool = True
    bytes: int = 0
    note: str | None = None

    def has_looked_at(self, table: str) -> bool:
        """Whether all is known of a table that can be: its content is held or too large, or there is none."""
        return table in self.tables or table in self.too_large or table not in self.names


class _OutOfTime(Exception):
    """The time for reading is over."""


class _OutOfRoom(Exception):
    """The room for names is."""


def list_archive(
    archive: Path,
    *,
    seconds: float,
    encoding: str | None = None,
    max_bytes: int = MAX_BYTES,
    table: str | None = None,
) -> Listing:
    """The names of an archive's files.

    A zip's stand in its directory. In a tar they lie between the contents, which a packed one has to be unpacked for;
    where one of its tables is a further name of another file (a hard link), it is gone through once more for that.

    Args:
        archive: the file; its content says what it is.
        seconds: of processor time after which no more is read, or three times as long by the clock.
        encoding: of names that do not say theirs.
        max_bytes: of all files together, unpacked.
        table: the path of one whose content is wanted.

    Raises:
        ArchiveRejected: it is no archive, cannot be read so far as was looked, or has a path that no import takes.
        FileNotFoundError: the file is gone.
    """
    reader = _Reader(archive, ReadingTime(seconds), encoding, max_bytes, table)
    try:
        reader.read_names()
        reader.read_linked()
    except _OutOfTime:
        reader.found.complete = reader.found.had_time = False
    return reader.found


class _Reader:
    """Reads one archive; ``found`` is what it has so far."""

    def __init__(
        self, archive: Path, time: ReadingTime, encoding: str | None, max_bytes: int, table: str | None
    ) -> None:
        self._archive, self._time, self._encoding, self._max_bytes = archive, time, encoding, max_bytes
        self._table = table
        self.found = Listing()
        self._paths = ListedPaths()
        self._files: dict[str, str] = {}
        """Of each further name the file that it is one of."""
        self._linked: dict[str, str] = {}
        """Tables that are further names of other files, with these."""

    def read_names(self) -> None:
        """Read all names, and the tables among them."""
        with self._opened() as entries:
            try:
                for entry in entries:
                    self._take(entry)
            except _OutOfRoom:
                self.found.complete = False
            finally:
                self.found.note = entries.note()

    def read_linked(self) -> None:
        """Read the files whose further names are tables: they lie before them."""
        contents = Listing(tables=dict(self.found.tables), too_large=set(self.found.too_large))
        wanted = set(self._linked.values()) - contents.tables.keys() - contents.too_large
        if wanted:
            with self._opened() as entries:
                for entry in entries:
                    name = path_of(entry)
                    if name in wanted and entry.content is not None:
                        _hold(name, entry.content, contents)
                        wanted.remove(name)
                    if not wanted:
                        break
        for name, target in self._linked.items():
            if target in contents.tables:
                self.found.tables[name] = contents.tables[target]
                self.found.bytes += len(contents.tables[target])
            elif target in contents.too_large:
                self.found.too_large.add(name)

    def _opened(self) -> AbstractContextManager[OpenArchive]:
        return open_entries(
            self._archive,
            max_bytes=self._max_bytes,
            max_files=MAX_FILES,
            encoding=self._encoding,
            tell=self._tell,
            directory_bytes=DIRECTORY_BYTES,
        )

    def _tell(self, _done: int, _total: int) -> None:
        if self._time.is_over():
            raise _OutOfTime

    def _take(self, entry: Entry) -> None:
        name = path_of(entry)
        target = None if entry.same_as is None else self._paths.file(inside(entry.same_as))
        if target is None and entry.same_as is not None:
            raise no_target(entry)
        self._paths.add(name, is_folder=entry.is_folder)
        if self._paths.bytes > MAX_NAMES_BYTES:
            raise _OutOfRoom
        if entry.is_folder:
            return
        if target is not None:
            self._files[name] = self._files.get(target, target)
        found = self.found
        found.bytes += len(name.encode("utf-8", "surrogateescape"))
        found.names.append(name)
        if not (name == self._table or name.lower().endswith(_TABLES)) or not self._has_place(PurePosixPath(name)):
            return
        if entry.content is not None:
            _hold(name, entry.content, found)
        elif target is not None:
            self._linked[name] = self._files[name]

    def _has_place(self, path: PurePosixPath) -> bool:
        """Whether a file is a table whose content is held; hidden ones are none, and take no place."""
        if path.as_posix() == self._table:
            return True
        if any(part.startswith(".") for part in path.parts):
            return False
        held = (*self.found.tables, *self.found.too_large, *self._linked)
        looked_at = [PurePosixPath(name) for name in held if name != self._table]
        usual = sum(_is_usual(one) for one in looked_at)
        if _is_usual(path):
            return not usual
        return len(looked_at) - usual < _MOST_TABLES


def _is_usual(path: PurePosixPath) -> bool:
    return path.name.lower() == _USUAL


def _hold(name: str, content: Content, found: Listing) -> None:
    data = content.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        found.too_large.add(name)
        return
    found.tables[name] = data
    found.bytes += len(data)
