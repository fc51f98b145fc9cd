"""Filling a presized cache: all pictures decoded and scaled, by as many threads as there are cores."""

import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from ml.cores import worth_starting
from ml.data.bundle import ImageSource
from ml.data.cache_room import SPARE_BYTES
from ml.data.manifest import Manifest
from ml.decode.images import Limits, view
from ml.decode.placement import Placement
from ml.decode.views import View
from ml.disk import says_disk_full
from ml.errors import DatasetUnusable, DiskFull, ImageRejected, Stopped

OnProgress = Callable[[int, int], None]
_BATCH = 256
_REPORT_SECONDS = 0.1
_GIB = 1 << 30


def check_space(folder: Path, needed: int) -> None:
    """Refuse a build that the disk cannot hold.

    Raises:
        DiskFull: with the bytes needed and free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise _disk_full(needed, free)


def write_pixels(
    path: Path,
    manifest: Manifest,
    source: ImageSource,
    placements: Sequence[Placement],
    limits: Limits,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> None:
    """Write every picture at its place, and return when the disk has them.

    Raises:
        DatasetUnusable: a picture is not what the manifest says.
        DiskFull: the disk filled up meanwhile.
        Stopped: should_stop said so.
    """
    offsets = starts(placements)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(file, sum(placement.bytes for placement in placements))

        def write(index: int) -> None:
            _write_at(file, _rendered(manifest, source, index, placements[index], limits), offsets[index])

        # Closed before the file is: a caller's exception must find no thread that still writes to its descriptor.
        with closing(_in_parallel(write, len(placements), should_stop)) as steps:
            _report(steps, len(placements), on_progress)
        # Without this a power failure could leave the marker on the disk and the pixels not.
        os.fsync(file)
    except OSError as error:
        if not says_disk_full(error):
            raise
        raise _disk_full(os.fstat(file).st_size, 0) from error
    finally:
        os.close(file)


def starts(placements: Sequence[Placement]) -> list[int]:
    """Where each picture begins, in bytes."""
    sizes = np.array([0, *(placement.bytes for placement in placements)], dtype=np.int64)
    offsets: list[int] = np.cumsum(sizes)[:-1].tolist()
    return offsets


def _in_parallel(
    work: Callable[[int], None], count: int, should_stop: Callable[[], bool]
) -> Generator[None, None, None]:
    # Batches keep little queued, so that a stop or a failure ends the build soon.
    waiting = iter(range(count))
    pool = ThreadPoolExecutor(max_workers=worth_starting())
    try:
        while batch := list(islice(waiting, _BATCH)):
            for _ in pool.map(work, batch):
                if should_stop():
                    raise Stopped
                yield
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _report(steps: Iterator[None], total: int, on_progress: OnProgress) -> None:
    told = 0.0
    for done, _ in enumerate(steps, start=1):
        now = time.monotonic()
        if now - told >= _REPORT_SECONDS or done == total:
            told = now
            on_progress(done, total)


def _rendered(manifest: Manifest, source: ImageSource, index: int, placement: Placement, limits: Limits) -> bytes:
    item = manifest.items[index]
    try:
        pixels, facts = view(source.read(index), limits, View("kept", placement.size))
    except ImageRejected as error:
        raise DatasetUnusable(f"{item.path}: {error.detail}", hint="Import the dataset again.") from error
    if (facts.width, facts.height) != (placement.width, placement.height):
        detail = f"{item.path} has {facts.width}x{facts.height} pixels, the manifest says {item.width}x{item.height}"
        raise DatasetUnusable(detail, hint="Import the dataset again.")
    return pixels.tobytes()


def _write_at(file: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def _disk_full(needed: int, free: int) -> DiskFull:
    detail = f"the presized cache needs {needed / _GIB:.2f} GiB, the disk has {free / _GIB:.2f} GiB free"
    return DiskFull(detail, hint="Free space, set PEDIGREE_CACHE to a larger disk, or choose a smaller presize.")
