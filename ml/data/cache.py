"""Decode once: every picture of a dataset, scaled to its presize, in one memory-mapped file that all runs share.

A cache is a folder with ``pixels.u8`` (all pictures, rows of RGB bytes, one after the other), ``index.npy`` (where each
lies) and ``meta.json``, the marker that is written last: a folder without a valid one is never served.
"""

import io
import json
import logging
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.cache_names import lock_of, part_of, presized_cache
from ml.data.bundle import ImageSource
from ml.data.cache_build import check_space, starts, write_pixels
from ml.data.cache_lock import BuildLock, building_alone
from ml.data.cache_room import make_room, note_opened
from ml.data.manifest import Manifest
from ml.decode.images import DECODING, Limits
from ml.decode.placement import Placement, place

FORMAT_VERSION = 2
"""Caches of version 1 show what is hidden under the transparency of a picture; META says nothing of their decoding."""
PIXELS = "pixels.u8"
INDEX = "index.npy"
META = "meta.json"

Pixels = npt.NDArray[np.uint8]
OnProgress = Callable[[int, int], None]
_log = logging.getLogger(__name__)


class PresizedCache:
    """A dataset's pictures, uint8, read-only. Picture i is [h, w, 3] with a short side of ``size`` pixels.

    The central window of size x size holds exactly the pixels of fastai's validation Resize.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self._index: npt.NDArray[np.int64] = np.load(folder / INDEX)
        # A plain array over the map: slicing a memmap object itself costs several times as much.
        self._pixels: Pixels = np.asarray(np.memmap(folder / PIXELS, dtype=np.uint8, mode="r"))

    def __len__(self) -> int:
        return len(self._index)

    def image(self, i: int) -> Pixels:
        """The whole picture, uint8 [h, w, 3], a view."""
        offset, height, width, _, _ = self._index[i].tolist()
        return self._pixels[offset : offset + height * width * 3].reshape(height, width, 3)

    def centre(self, i: int) -> Pixels:
        """The central window, uint8 [size, size, 3], a view."""
        _, _, _, top, left = self._index[i].tolist()
        return self._cut(i, top, left)

    def window(self, i: int, position: float) -> Pixels:
        """The window at a position along the long side (0 to 1), uint8 [size, size, 3], a view."""
        _, height, width, _, _ = self._index[i].tolist()
        return self._cut(i, int(position * (height - self.size)), int(position * (width - self.size)))

    def gather(self, indices: Sequence[int], positions: Sequence[float] | None, out: Pixels) -> None:
        """Copy one window of each picture.

        Args:
            indices: of the pictures, n of them.
            positions: along the long side, 0 to 1, one each; None takes the central windows.
            out: uint8 [n, size, size, 3], filled.
        """
        for slot, i in enumerate(indices):
            out[slot] = self.centre(i) if positions is None else self.window(i, positions[slot])

    def _cut(self, i: int, top: int, left: int) -> Pixels:
        return self.image(i)[top : top + self.size, left : left + self.size]


def open_cache(
    manifest: Manifest,
    source: ImageSource,
    *,
    presize: int,
    root: Path,
    limits: Limits,
    on_progress: OnProgress | None,
    should_stop: Callable[[], bool] | None = None,
    cache_bytes: int | None = None,
) -> PresizedCache:
    """Open a dataset's presized cache, and build it first where there is none.

    Only one process builds; others wait, and are told the builder's progress. What a killed builder left is removed.
    Before a build, what was opened least recently makes room for it.

    Args:
        manifest: its revision and the presize name the cache.
        source: the items' bytes, prepared and read only by a build.
        presize: the kept pictures' short side, pixels.
        root: the folder of all caches, made where missing.
        limits: what a picture may cost.
        on_progress: called with pictures done and pictures in all, at most ten times a second.
        should_stop: asked while building and waiting.
        cache_bytes: at most so many are kept below ``root``; None: as many as the disk holds.

    Raises:
        DatasetUnusable: a picture is not what the manifest says.
        DiskFull: the cache does not fit on the disk; nothing is left behind.
        Stopped: should_stop said so; nothing is left behind.
    """
    root.mkdir(parents=True, exist_ok=True)
    folder = presized_cache(root, manifest.revision, presize, FORMAT_VERSION)
    placements = [place(item.width, item.height, presize) for item in manifest.items]
    found = _opened(folder, manifest, presize)
    if found is not None:
        return found
    with building_alone(lock_of(folder), on_progress, should_stop) as lock:
        # Whoever held the lock before may have built it; while we hold it nobody removes it.
        found = _opened(folder, manifest, presize)
        if found is not None:
            if on_progress is not None:
                on_progress(len(placements), len(placements))
            return found
        # First what the build reads: fetched later it would take the room that is made here, and an old copy that is
        # not open yet might be the first to go.
        source.prepare()
        make_room(root, sum(placement.bytes for placement in placements), cache_bytes)
        _build(folder, manifest, source, placements, limits, _both(lock, on_progress), should_stop or _never)
        return PresizedCache(folder, presize)


def _opened(folder: Path, manifest: Manifest, presize: int) -> PresizedCache | None:
    """The cache, None where there is no complete one."""
    if not _complete(folder, manifest, presize):
        return None
    note_opened(folder / META)
    try:
        return PresizedCache(folder, presize)
    except FileNotFoundError:
        return None  # removed this moment, to make room for another


def _build(
    folder: Path,
    manifest: Manifest,
    source: ImageSource,
    placements: Sequence[Placement],
    limits: Limits,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> None:
    part = part_of(folder)
    for leftover in (part, folder):
        if leftover.exists():
            _log.warning("removing the incomplete cache %s", leftover.name)
            shutil.rmtree(leftover)
    check_space(folder.parent, sum(placement.bytes for placement in placements))
    part.mkdir()
    try:
        write_pixels(part / PIXELS, manifest, source, placements, limits, on_progress, should_stop)
        (part / INDEX).write_bytes(_index(placements))
        presize = placements[0].size
        (part / META).write_text(json.dumps(_meta(manifest, presize, part)), encoding="utf-8")
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _index(placements: Sequence[Placement]) -> bytes:
    rows = [
        (offset, *placement.shape[:2], *placement.corner)
        for offset, placement in zip(starts(placements), placements, strict=True)
    ]
    # By way of memory: what numpy itself says of a file that the disk does not hold has no number.
    file = io.BytesIO()
    np.save(file, np.array(rows, dtype=np.int64))
    return file.getvalue()


def _meta(manifest: Manifest, presize: int, folder: Path) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "decoding": DECODING,
        "revision": manifest.revision,
        "presize": presize,
        "items": len(manifest.items),
        "pixel_bytes": (folder / PIXELS).stat().st_size,
        "index_crc32": zlib.crc32((folder / INDEX).read_bytes()),
    }


def _complete(folder: Path, manifest: Manifest, presize: int) -> bool:
    """Whether the marker is there and says of the files what they are."""
    try:
        written = json.loads((folder / META).read_text(encoding="utf-8"))
        return bool(written == _meta(manifest, presize, folder))
    except (OSError, ValueError):
        return False


def _both(lock: BuildLock, on_progress: OnProgress | None) -> OnProgress:
    def tell(done: int, total: int) -> None:
        lock.note(done, total)
        if on_progress is not None:
            on_progress(done, total)

    return tell


def _never() -> bool:
    return False
