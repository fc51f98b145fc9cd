"""One entry of an archive, whatever kind of archive that is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from ml.errors import ArchiveRejected
from ml.unpack.metered import LARGEST_READ

PADDING = b"\0\t\n\r "
"""What may stand behind an archive's end: some programs fill its last block or record, others end a line."""
_MOST_SHOWN = 255


class Content:
    """What a file of an archive holds, opened when it is first read: who wants names alone opens nothing."""

    def __init__(self, opened: Callable[[], IO[bytes]]) -> None:
        self._opened = opened
        self._file: IO[bytes] | None = None

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end; a step at a time, between which the budget is looked at."""
        if self._file is None:
            self._file = self._opened()
        return b"".join(self._steps(self._file, size))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _steps(self, file: IO[bytes], size: int) -> Iterator[bytes]:
        while part := file.read(min(size, LARGEST_READ)):
            yield part
            size -= len(part)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file with its content, a further name of a file (``same_as``) before it, or a folder, which has neither."""

    name: str
    content: Content | None = None
    same_as: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is neither a file nor a further name of one."""
        return self.content is None and self.same_as is None


def shown(name: str) -> str:
    """A name as a sentence has it: quoted, and cut where it is longer than any."""
    return repr(name) if len(name) <= _MOST_SHOWN else f"{name[:60]!r}…"


def no_file(name: str) -> ArchiveRejected:
    """What is said of an entry that is no plain file and no folder."""
    detail = f"{shown(name)} is a link, a device or a socket"
    return ArchiveRejected(detail, hint="Pack plain files and folders only (tar --dereference follows links).")


def no_target(entry: Entry) -> ArchiveRejected:
    """What is said of a further name of what is no file before it."""
    detail = (
        f"{shown(entry.name)} is a hard link to {shown(entry.same_as or '')}, which is no file before it in the archive"
    )
    return ArchiveRejected(detail, hint="Pack with `tar --hard-dereference`, which writes the file itself.")
