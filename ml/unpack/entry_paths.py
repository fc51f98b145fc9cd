"""Where an entry of an archive lies, by a name that anyone may have given it."""

from pathlib import PurePosixPath

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry

NAME_BYTES = 255
"""Of each folder and of the file: what disks take."""
DEPTH = 32


def inside(name: str) -> PurePosixPath:
    """The path below the archive's own folder, without parts that say nothing.

    Raises:
        ArchiveRejected: it leads out of that folder, nests deeper than ``DEPTH``, or has a part over ``NAME_BYTES``.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise ArchiveRejected(f"{_short(name)} is named outside the archive's own folder", hint="Use relative names.")
    if len(path.parts) > DEPTH:
        raise ArchiveRejected(f"{_short(name)} nests deeper than {DEPTH} folders", hint="Pack flatter folders.")
    if any(len(part.encode("utf-8", "surrogateescape")) > NAME_BYTES for part in path.parts):
        raise ArchiveRejected(f"the name {_short(name)} is too long", hint=f"Keep names under {NAME_BYTES} bytes.")
    return path


def path_of(entry: Entry) -> PurePosixPath:
    """The same of an entry.

    Raises:
        ArchiveRejected: as ``inside``, or a file has no name.
    """
    path = inside(entry.name)
    if not entry.is_folder and not path.parts:
        raise ArchiveRejected(f"a file of the archive has no name ({entry.name!r})", hint="Name every entry.")
    return path


def _short(name: str) -> str:
    return repr(name) if len(name) <= NAME_BYTES else f"{name[:60]!r}…"
