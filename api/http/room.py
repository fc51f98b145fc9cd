"""A full disk of the service: a state that somebody can end, not a defect."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from store.errors import NoRoom
from store.settings import MIB

LEAST_FREE_BYTES = 64 * MIB
"""What a disk must have free to count as having room."""


def some_disk_full() -> NoRoom:
    """The error where nobody nearer knows which disk it is."""
    detail = "a disk of the service is full: that of PEDIGREE_CACHE, or that of its temporary files"
    return NoRoom(detail, "Make room there and send the request again.")


def database_disk_full() -> NoRoom:
    """The error of a database that has no room for a row."""
    return NoRoom("the disk of the database is full", "Make room there and send the request again.")


def check_disks(cache: Path, artifacts: Path | None) -> None:
    """Look whether our own disks have room.

    Args:
        cache: the folder of PEDIGREE_CACHE.
        artifacts: the folder of ARTIFACTS_URL; None where that is no folder.

    Raises:
        NoRoom: one of them is full, or nearly.
    """
    places = {"PEDIGREE_CACHE": cache, "its temporary files": Path(tempfile.gettempdir())}
    if artifacts is not None:
        places["ARTIFACTS_URL"] = artifacts
    full = [name for name, folder in places.items() if _free_bytes(folder) < LEAST_FREE_BYTES]
    if full:
        least = LEAST_FREE_BYTES // MIB
        raise NoRoom(f"the disk of {_listed(full)} has less than {least} MiB free", "Make room there.")


def _free_bytes(folder: Path) -> int:
    """Of the disk that the folder lies on, or will lie on."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free


def _listed(names: Iterable[str]) -> str:
    return " and of ".join(names)
