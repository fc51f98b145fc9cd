"""What killed processes left in the cache folder, which they could not remove themselves."""

import contextlib
import fcntl
import re
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import state_in_hand
from store.scratch import remove_left, remove_scratch

_NAME = re.compile(r"job-(\d{1,9})-(\d{1,9})")
_UNBUILT = re.compile(r"[0-9a-f]{64}-\d+-v\d+\.part")
"""A presized cache while it is built or removed: the dataset's revision, the presize, the format."""


def clean_cache(cache: Path, scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove whatever nobody works on any more below the cache folder; ``scratch`` is this database's part of it.

    Only what has a name of our own making: the folder may hold somebody's own files.
    """
    remove_leftovers(scratch, sessions)
    for part in cache.glob("*.part"):
        if _UNBUILT.fullmatch(part.name):
            _remove_unbuilt(part)
    remove_scratch(cache)


def remove_leftovers(scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove the folders ``job-JOB-ATTEMPT`` in ``scratch`` of attempts that no worker holds, on any host."""
    for folder in sorted(scratch.glob("job-*-*")):
        named = _NAME.fullmatch(folder.name)
        if named is None:
            continue
        with sessions.begin() as session:
            held = state_in_hand(session, int(named[1]), int(named[2])) is not None
        if not held:
            remove_left(folder)


def _remove_unbuilt(part: Path) -> None:
    """Remove a presized cache that is half there, unless a process that builds or removes it holds its lock."""
    with contextlib.suppress(OSError), part.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_left(part)
