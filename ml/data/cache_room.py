"""Room in the cache folder: for what is about to be kept there, what was opened least recently goes.

Two kinds of things are kept, and both can be made again: presized caches, and copies of datasets' bundles.
"""

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ml.cache_names import bundle_copies, lock_of, part_of, presized_caches, whole_of
from ml.data.cache_lock import held_if_free

SPARE_BYTES = 64 << 20
"""Left free on the disk."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    path: Path
    bytes: int
    opened_at: float


def note_opened(file: Path) -> None:
    """Note in a file of something kept that it was opened now; in a folder that is only readable there is no note."""
    with contextlib.suppress(OSError):
        os.utime(file)


def make_room(root: Path, needed: int, limit: int | None) -> None:
    """Remove what was opened least recently, until ``needed`` bytes fit under the limit and on the disk.

    What another process builds is left alone. What it has open stays readable to it, and is made anew by the next one.

    Args:
        root: the cache folder.
        needed: bytes that are about to be written.
        limit: bytes that may be kept in all; None: as many as the disk holds.
    """
    root.mkdir(parents=True, exist_ok=True)
    kept = sorted(_kept_below(root), key=lambda one: one.opened_at)
    total = sum(one.bytes for one in kept)
    if shutil.disk_usage(root).free + total < needed + SPARE_BYTES:
        return  # not even all of it would make room: whoever writes will say so, and the others keep theirs
    for one in kept:
        within = limit is None or total + needed <= limit
        if within and shutil.disk_usage(root).free >= needed + SPARE_BYTES:
            return
        if _removed(one.path):
            _log.info("removed %s from the cache to make room", one.path.relative_to(root))
            total -= one.bytes


def _kept_below(root: Path) -> list[_Entry]:
    looked = [_look_at(path) for path in [*presized_caches(root), *bundle_copies(root)]]
    return [one for one in looked if one is not None]


def _look_at(path: Path) -> _Entry | None:
    try:
        found = [file.stat() for file in (path.iterdir() if path.is_dir() else [path])]
    except FileNotFoundError:
        return None  # another process removed it meanwhile
    return _Entry(path, sum(one.st_size for one in found), max((one.st_mtime for one in found), default=0.0))


def _removed(path: Path) -> bool:
    try:
        if path.is_dir():
            return _remove_presized(whole_of(path))
        path.unlink(missing_ok=True)
    except PermissionError:
        return False  # another user's
    return True


def _remove_presized(folder: Path) -> bool:
    """Remove a cache that nobody builds; it vanishes at once, so that none is ever opened by halves."""
    with held_if_free(lock_of(folder)) as held:
        if held:
            part = part_of(folder)
            shutil.rmtree(part, ignore_errors=True)
            if folder.exists():
                folder.replace(part)
                shutil.rmtree(part)
    return held
