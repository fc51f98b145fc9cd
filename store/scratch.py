"""What killed processes left in the cache folder of their copies, uploads and archives, half written."""

import contextlib
import logging
import re
import shutil
import time
from pathlib import Path

log = logging.getLogger(__name__)

_LIFE_SECONDS = 24 * 3600.0
"""A day without a change, and nobody writes there any more."""

_NAMES = {
    "datasets/*/.images.tar.*": r"datasets/[0-9a-f]{64}/\.images\.tar\.[0-9a-f]{32}",
    "downloads/.unpack-*": r"downloads/\.unpack-[a-z0-9_]{8}",
    "models/*/.*": r"models/[0-9a-f]{64}/\.model\.(safetensors|json)\.[0-9a-f]{32}",
    "runs/*/.*": r"runs/\d{1,9}/\.[0-9a-f]{64}\.jsonl\.[0-9a-f]{32}",
    "uploads/upload-*": r"uploads/upload-[a-z0-9_]{8}",
}
"""Where to look, and which names below the cache folder are of our own making: it may hold somebody's own files."""


def remove_scratch(cache: Path) -> None:
    """Remove what was on its way into the cache folder and has not changed for a day."""
    before = time.time() - _LIFE_SECONDS
    for pattern, name in _NAMES.items():
        for begun in cache.glob(pattern):
            if not re.fullmatch(name, begun.relative_to(cache).as_posix()):
                continue
            with contextlib.suppress(OSError):  # another process removes it too, or it is another user's
                if begun.lstat().st_mtime < before:
                    remove_left(begun)


def remove_left(left: Path) -> None:
    """Remove a file or folder that a killed process left, and say so in the log."""
    log.info("removing %s, which a killed process left", left.name)
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)
