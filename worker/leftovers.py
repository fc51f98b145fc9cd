"""What killed processes left in the cache folder, which they could not remove themselves."""

import contextlib
import fcntl
import logging
import re
import shutil
import time
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import state_in_hand

log = logging.getLogger(__name__)

_NAME = re.compile(r"job-(\d{1,9})-(\d{1,9})")
_LIFE_SECONDS = 24 * 3600.0
_SCRATCH = (
    "datasets/*/.images.tar.*",
    "downloads/.unpack-*",
    "models/*/.*",
    "uploads/upload-*",
    "work/job-*-*",
)
"""Copies, uploads and archives on their way into the cache folder, and work folders of versions that did not part them
by database; a day without a change, and nobody writes there any more."""


def clean_cache(cache: Path, scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove whatever nobody works on any more below the cache folder; ``scratch`` is this database's part of it."""
    remove_leftovers(scratch, sessions)
    for part in cache.glob("*.part"):
        _remove_unbuilt(part)
    before = time.time() - _LIFE_SECONDS
    for begun in (found for pattern in _SCRATCH for found in cache.glob(pattern)):
        with contextlib.suppress(OSError):  # another worker removes it too, or it is another user's
            if begun.stat().st_mtime < before:
                _remove(begun)


def remove_leftovers(scratch: Path, sessions: sessionmaker[Session]) -> None:
    """Remove the folders ``job-JOB-ATTEMPT`` in ``scratch`` of attempts that no worker holds, on any host."""
    for folder in sorted(scratch.glob("job-*-*")):
        named = _NAME.fullmatch(folder.name)
        if named is None:
            continue
        with sessions.begin() as session:
            held = state_in_hand(session, int(named[1]), int(named[2])) is not None
        if not held:
            _remove(folder)


def _remove_unbuilt(part: Path) -> None:
    """Remove a presized cache that is half there, unless a process that builds or removes it holds its lock."""
    with contextlib.suppress(OSError), part.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(part)


def _remove(left: Path) -> None:
    log.info("removing %s, which a killed process left", left.name)
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)
