"""What killed processes left in the cache folder, which they could not remove themselves."""

import contextlib
import fcntl
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from ml import cache_names
from store.cache_names import work_folders
from store.db.jobs import state_in_hand
from store.scratch import remove_left, remove_scratch


def clean_cache(cache: Path, scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove whatever nobody works on any more below the cache folder; ``scratch`` is this database's part of it.

    Only what has a name of our own making: the folder may hold somebody's own files.
    """
    remove_leftovers(scratch, sessions)
    for part in filter(cache_names.is_part, cache_names.presized_caches(cache)):
        _remove_unbuilt(part)
    remove_scratch(cache, copies=cache_names.COPIES, begun=cache_names.BEGUN)


def remove_leftovers(scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove the work folders of attempts that no worker holds, on any host."""
    for folder, job_id, attempt in work_folders(scratch):
        with sessions.begin() as session:
            held = state_in_hand(session, job_id, attempt) is not None
        if not held:
            remove_left(folder)


def _remove_unbuilt(part: Path) -> None:
    """Remove a presized cache that is half there, unless a process that builds or removes it holds its lock."""
    with contextlib.suppress(OSError), cache_names.lock_of(part).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_left(part)
