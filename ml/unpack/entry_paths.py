"""Where an entry of an archive lies, by a name that anyone may have given it."""

import re

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry, shown

NAME_BYTES = 255
"""Of each folder and of the file: what disks take."""
PATH_BYTES = 3000
"""Of all of it: disks take 4095, with the folder that it is unpacked in."""
DEPTH = 32
_SAYS_NOTHING = frozenset({"", "."})
_MOST_BYTES_OF_A_LETTER = 4
_DRIVE = re.compile("[A-Za-z]:")


def inside(name: str) -> str:
    """The path below the archive's own folder, without parts that say nothing; a dot for that folder.

    Raises:
        ArchiveRejected: it leads out of that folder, nests deeper than ``DEPTH``, has a part over ``NAME_BYTES``, or
            more than ``PATH_BYTES`` in all.
    """
    # Pathlib would take seconds of the time that 200,000 names have.
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in _SAYS_NOTHING]
    if plain.startswith("/") or ".." in parts or "\0" in name or (parts and _DRIVE.fullmatch(parts[0])):
        raise ArchiveRejected(f"{shown(name)} is named outside the archive's own folder", hint="Use relative names.")
    if len(parts) > DEPTH:
        raise ArchiveRejected(f"{shown(name)} nests deeper than {DEPTH} folders", hint="Pack flatter folders.")
    path = "/".join(parts) or "."
    if len(path) * _MOST_BYTES_OF_A_LETTER > NAME_BYTES:
        _check_length(name, parts)
    return path


def _check_length(name: str, parts: list[str]) -> None:
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    if max(sizes) > NAME_BYTES:
        raise ArchiveRejected(f"the name {shown(name)} is too long", hint=f"Keep names under {NAME_BYTES} bytes.")
    if sum(sizes) + len(parts) > PATH_BYTES:
        detail = f"the path {shown(name)} is too long"
        raise ArchiveRejected(detail, hint=f"Keep a file's name and its folders' under {PATH_BYTES} bytes together.")


def path_of(entry: Entry) -> str:
    """The same of an entry.

    Raises:
        ArchiveRejected: as ``inside``, or a file has no name.
    """
    path = inside(entry.name)
    if path == "." and not entry.is_folder:
        raise ArchiveRejected(f"a file of the archive has no name ({shown(entry.name)})", hint="Name every entry.")
    return path
