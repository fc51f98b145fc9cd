"""Reading a backup: nothing of it is used before all of it has been looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from backup.container import AGAIN, Entry, content, entries
from backup.description import OTHER, BackupInvalid, Contents, FilePart, Head, TablePart, read_contents, read_head
from backup.progress import Tell
from backup.writing import CHECK, CONTENTS, FILES, HEAD, TABLES, can_be_restored
from migrations.schema import known_revisions

MOST_HEAD_BYTES = 64 * 1024
MOST_CONTENTS_BYTES = 256 * 1024 * 1024
"""The list of about a million files."""


@dataclass(frozen=True)
class Backup:
    """A backup that has been looked at; ``file`` is open."""

    file: IO[bytes]
    size: int
    head: Head
    contents: Contents
    places: dict[str, Entry]

    def rows(self, part: TablePart) -> Iterator[bytes]:
        return self._same(f"{TABLES}{part.name}", part.sha256)

    def content(self, part: FilePart) -> Iterator[bytes]:
        return self._same(f"{FILES}{part.key}", part.sha256)

    def _same(self, name: str, expected: str) -> Iterator[bytes]:
        """What stands there, as it was when it was looked at.

        Raises:
            BackupInvalid: it is not the same any more.
        """
        digest = sha256()
        for part in content(self.file, self.places[name]):
            digest.update(part)
            yield part
        if digest.hexdigest() != expected:
            raise BackupInvalid(f"the backup has changed while it was read, at {name}", hint=AGAIN)


@contextmanager
def reading(path: Path, tell: Tell) -> Iterator[Backup]:
    """Open a backup and look at every byte of it.

    Raises:
        BackupInvalid: it is none, is cut short, was changed, holds what no backup holds, or is of a newer version.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise BackupInvalid(f"{path} is no ordinary file", hint=OTHER)  # a pipe would be waited for
    with path.open("rb") as file:
        yield _looked_at(file, path.stat().st_size, tell)


def _looked_at(file: IO[bytes], size: int, tell: Tell) -> Backup:
    found = entries(file, size)
    first = next(found, None)
    if first is None or first.name != HEAD:
        raise BackupInvalid("the file is no backup of Pedigree", hint=OTHER)
    head = read_head(_small(file, first, MOST_HEAD_BYTES))
    _check_revision(head)
    # The list stands at the end, and what it says is worth something once it is known to be whole.
    listed = [first, *found]
    names = [entry.name for entry in listed]
    if names[-2:] != [CONTENTS, CHECK]:
        raise BackupInvalid("the backup has no list of contents at its end", hint=AGAIN)
    text = _small(file, listed[-2], MOST_CONTENTS_BYTES)
    if _small(file, listed[-1], MOST_HEAD_BYTES) != sha256(text).hexdigest().encode():
        raise BackupInvalid("the backup's list of contents is damaged", hint=AGAIN)
    contents = read_contents(text)
    _check_names(contents, names)
    _check_content(file, size, contents, listed[1:-2], tell)
    return Backup(file, size, head, contents, {entry.name: entry for entry in listed})


def _check_revision(head: Head) -> None:
    if head.revision not in known_revisions():
        detail = (
            f"the backup was made by Pedigree {head.pedigree}, whose schema {head.revision} this version does not know"
        )
        raise BackupInvalid(detail, hint="Restore it with that version or a newer one.")


def _check_names(contents: Contents, names: list[str]) -> None:
    """Exactly the entries that the list has, in its order, each once, and no key that is made by nobody here."""
    expected = [f"{TABLES}{part.name}" for part in contents.tables] + [f"{FILES}{part.key}" for part in contents.files]
    if names[1:-2] != expected or len(set(expected)) != len(expected):
        raise BackupInvalid("the backup does not hold what its list of contents says", hint=AGAIN)
    for part in contents.files:
        if not can_be_restored(part.key):
            raise BackupInvalid(f"the backup has a file at {part.key[:80]!r}, where Pedigree keeps none", hint=OTHER)


def _check_content(file: IO[bytes], size: int, contents: Contents, listed: list[Entry], tell: Tell) -> None:
    parts: list[TablePart | FilePart] = [*contents.tables, *contents.files]
    for entry, part in zip(listed, parts, strict=True):
        digest = sha256()
        for data in content(file, entry):
            digest.update(data)
            tell("check", file.tell(), size)
        if entry.bytes != part.bytes or digest.hexdigest() != part.sha256:
            raise BackupInvalid(f"the backup is damaged at {entry.name}", hint=AGAIN)


def _small(file: IO[bytes], entry: Entry, most: int) -> bytes:
    if entry.bytes > most:
        raise BackupInvalid(f"{entry.name} in the backup is larger than {most} bytes", hint=OTHER)
    return b"".join(content(file, entry))
