"""Paths of an archive's entries, held against each other as the unpacking does: a disk takes each name once."""

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import shown


class ListedPaths:
    """The paths so far. Their bytes are counted, since folders have some too."""

    def __init__(self) -> None:
        self.bytes = 0
        self._files, self._folders = dict[str, str](), {"."}

    def add(self, path: str, *, is_folder: bool) -> None:
        """Take one path more, of a folder or a file, below the archive's own folder.

        Raises:
            ArchiveRejected: it is there already, and one of the two is a file.
        """
        if is_folder:
            self._add_folders(path)
            return
        above = _above(path)
        if above not in self._folders:
            self._add_folders(above)
        if path in self._files or path in self._folders:
            raise named_twice(path)
        self._files[path] = path
        self.bytes += len(path.encode("utf-8", "surrogateescape"))

    def file(self, path: str) -> str | None:
        """The path of a file that is there so far, as it is held: another text of the same letters need not be."""
        return self._files.get(path)

    def _add_folders(self, folder: str) -> None:
        """A folder and what is above it."""
        while folder not in self._folders:
            if folder in self._files:
                raise named_twice(folder)
            self._folders.add(folder)
            self.bytes += len(folder.encode("utf-8", "surrogateescape"))
            folder = _above(folder)


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "."


def named_twice(name: str) -> ArchiveRejected:
    """What is said of a file whose name is another entry's."""
    detail = f"{shown(name)} is in the archive twice, or as a file and as a folder"
    hint = "Name every entry once. `tar -r` and `tar -u` keep the old file beside the new: make the archive again."
    return ArchiveRejected(detail, hint=hint)
