"""One entry of an archive, whatever kind of archive that is."""

from dataclasses import dataclass
from typing import IO

from ml.errors import ArchiveRejected


@dataclass(frozen=True)
class Entry:
    """A file with its content, a further name of a file (``same_as``) before it, or a folder, which has neither."""

    name: str
    content: IO[bytes] | None = None
    same_as: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is neither a file nor a further name of one."""
        return self.content is None and self.same_as is None


def no_file(name: str) -> ArchiveRejected:
    """What is said of an entry that is no plain file and no folder."""
    detail = f"{name!r} is a link, a device or a sparse file"
    return ArchiveRejected(detail, hint="Pack plain files and folders only (tar --dereference follows links).")
