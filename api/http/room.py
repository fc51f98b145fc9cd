"""A full disk of the service: a state that somebody can end, not a defect."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from store.errors import NoRoom
from store.settings import MIB

LEAST_FREE_BYTES = 64 * MIB
"""What a disk must have free to count as having room."""
_NAMES = {"cache": "PEDIGREE_CACHE", "temporary": "its temporary files", "artifacts": "ARTIFACTS_URL"}
"""What sets the place of each, for whoever has to make room."""


def some_disk_full() -> NoRoom:
    """The error where nobody nearer knows which disk it is."""
    detail = "a disk of the service is full: that of PEDIGREE_CACHE, or that of its temporary files"
    return NoRoom(detail, "Make room there and send the request again.")


def database_disk_full() -> NoRoom:
    """The error of a database that has no room for a row."""
    return NoRoom("the disk of the database is full", "Make room there and send the request again.")


@dataclass(frozen=True)
class DiskUsage:
    """Bytes of a disk."""

    total: int
    free: int


def disk_places(cache: Path, artifacts: Path | None) -> dict[str, Path]:
    """Our own folders by what they hold; ``artifacts`` is None where they lie in no folder."""
    places = {"cache": cache, "temporary": Path(tempfile.gettempdir())}
    return places if artifacts is None else places | {"artifacts": artifacts}


def check_disks(cache: Path, artifacts: Path | None) -> None:
    """Look whether our own disks have room.

    Args:
        cache: the folder of PEDIGREE_CACHE.
        artifacts: the folder of ARTIFACTS_URL; None where that is no folder.

    Raises:
        NoRoom: one of them is full, or nearly.
    """
    full = [
        _NAMES[place]
        for place, folder in disk_places(cache, artifacts).items()
        if disk_of(folder).free < LEAST_FREE_BYTES
    ]
    if full:
        least = LEAST_FREE_BYTES // MIB
        raise NoRoom(f"the disk of {_listed(full)} has less than {least} MiB free", "Make room there.")


def disk_of(folder: Path) -> DiskUsage:
    """The disk that the folder lies on, or will lie on; in bytes.

    Raises:
        OSError: it cannot be looked at.
    """
    found = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.exists()))
    return DiskUsage(found.total, found.free)


def _listed(names: Iterable[str]) -> str:
    return " and of ".join(names)
