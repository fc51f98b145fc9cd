"""Files on their way: what they are called until they are whole, and what killed processes left of them."""

import contextlib
import logging
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from store import cache_names

log = logging.getLogger(__name__)

LIFE_SECONDS = 24 * 3600.0
"""A day without a change, and nobody writes there any more."""
_UNTIL_WHOLE = re.compile(r"\.(.+)\.[0-9a-f]{32}")


def until_whole(into: Path) -> Path:
    """Where a file lies until it is whole; never the same twice."""
    return into.with_name(f".{into.name}.{uuid4().hex}")


def remove_scratch(cache: Path, *, copies: dict[str, str], begun: dict[str, str]) -> None:
    """Remove what was on its way into the cache folder and has not changed for a day.

    Only what has a name of our own making: the folder may hold somebody's own files.

    Args:
        cache: the folder.
        copies: folders in it (glob), and the paths that fetched files have there (regex), beside the service's own.
        begun: what is there for a while only (glob), and the paths that it has (regex), beside the service's own.
    """
    before = time.time() - LIFE_SECONDS
    for left in [
        *_found(cache, {f"{folder}/.*": path for folder, path in (cache_names.COPIES | copies).items()}, whole=False),
        *_found(cache, cache_names.BEGUN | begun, whole=True),
    ]:
        with contextlib.suppress(OSError):  # another process removes it too, or it is another user's
            if left.lstat().st_mtime < before:
                remove_left(left)


def remove_left(left: Path) -> None:
    """Remove a file or folder that a killed process left, and say so in the log."""
    log.info("removing %s, which a killed process left", left.name)
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _found(cache: Path, names: dict[str, str], *, whole: bool) -> Iterator[Path]:
    """What is there under a name; without ``whole`` under the name that a file has until then."""
    for pattern, path in names.items():
        for found in cache.glob(pattern):
            named = found if whole else _whole(found)
            if named is not None and re.fullmatch(path, named.relative_to(cache).as_posix()):
                yield found


def _whole(scratch: Path) -> Path | None:
    """What a file is called when it is whole; None where the name is no such one."""
    found = _UNTIL_WHOLE.fullmatch(scratch.name)
    return None if found is None else scratch.with_name(found[1])
