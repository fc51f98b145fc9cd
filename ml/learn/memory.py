"""Memory of the device that trains: how much was taken, and what it looks like when there is not enough."""

import ctypes
import gc
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TypeVar

import torch

from ml.config import TrainSettings
from ml.errors import OutOfMemory
from ml.reporting import Reporter

Result = TypeVar("Result")

_REFUSALS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""What torch's allocators, CUDA and its libraries say, lower case, in a RuntimeError of no class of its own."""

_STATUS = Path("/proc/self/status")

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h; -1 as the threshold: never."""

_MALLOC_SAID = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_")
"""The same two settings in the environment; GLIBC_TUNABLES has them too."""

_LEAST_BATCH = 4
"""Half of a smaller batch is a single picture, which BatchNorm cannot train on."""

TRAINED = "trained in two halves, with the mean of their gradients; BatchNorm sees each half alone"
PREDICTED = "predicted in two halves"


def halving(
    work: Callable[[int], Result],
    config: TrainSettings,
    device: torch.device,
    reporter: Reporter,
    *,
    first: int = 1,
    doing: str = TRAINED,
    ranks: int = 1,
) -> Result:
    """Do the work; where the memory does not hold it do it once more, each batch in two halves.

    Args:
        work: takes the number of parts that a batch is cut into, and starts, or goes on, by itself.
        config: of the work.
        device: that it runs on.
        reporter: is told in a sentence.
        first: parts to begin with; 2 where it is known that a whole batch does not fit.
        doing: what is done with the halves, for that sentence.
        ranks: how many processes share each batch.

    Raises:
        OutOfMemory: two halves do not fit either, or the batch is too small to be halved.
    """
    if first == 1:
        try:
            return work(1)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if config.batch_size < _LEAST_BATCH * ranks:
                raise _refusal(config, is_halved=False) from error
        free_memory(device)
        reporter.on_log(f"the memory does not hold a batch of {config.batch_size}: each batch is now {doing}")
    elif config.batch_size < _LEAST_BATCH * ranks:
        raise _refusal(config, is_halved=False)
    with last_try(config):
        return work(2)


@contextmanager
def last_try(config: TrainSettings) -> Iterator[None]:
    """Turn whatever says that memory did not suffice into :class:`OutOfMemory`."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise _refusal(config) from error
        raise


def _refusal(config: TrainSettings, *, is_halved: bool = True) -> OutOfMemory:
    detail = f"{config.arch} at size {config.size} and batch_size {config.batch_size} does not fit the memory"
    halved = ", not even with each batch in two halves" if is_halved else ""
    return OutOfMemory(detail + halved, hint="Halve batch_size, or choose a smaller arch or size.")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory did not suffice, of whatever kind of device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error).lower() for said in _REFUSALS)


def keep_freed_memory(device: torch.device) -> None:
    """On a CPU, have the C library keep what is freed, for as long as the process lives.

    A step frees and takes gigabytes again. Given back each time, every page of it would be cleared by the kernel before
    its next use. Only glibc knows these settings; with another C library everything stays as it is. So it does where
    the environment says how malloc is to be.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if device.type == "cpu" and mallopt is not None and not _malloc_is_set():
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)


def _malloc_is_set() -> bool:
    """Whether whoever started the process has chosen one of malloc's settings."""
    chosen = any(name in os.environ for name in _MALLOC_SAID)
    return chosen or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")


def free_memory(device: torch.device) -> None:
    """Give back what nobody holds any more, and forget the peak that it made.

    On a CPU glibc is asked to, as it else keeps what is freed (:func:`keep_freed_memory`). Call it
    outside the ``except`` block: a traceback holds its frames.
    """
    gc.collect()
    if device.type == "cpu":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    _anonymous.forget()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


class _Anonymous:
    """The most memory of its own that the process was seen to hold, in bytes."""

    def __init__(self) -> None:
        self._peak = 0

    def forget(self) -> None:
        """Begin anew."""
        self._peak = 0

    def look(self) -> int:
        """Look again, and return the most that was seen so far."""
        self._peak = max(self._peak, _anonymous_bytes())
        return self._peak


_anonymous = _Anonymous()


def note_memory(device: torch.device) -> None:
    """Look how much memory is held now, where nobody keeps count: called in the middle of a step, where it is most."""
    if device.type == "cpu":
        _anonymous.look()


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory held so far: the device's by torch's allocator on a GPU, this process's own on a CPU.

    The process's own is its anonymous memory, as seen at the steps. Mapped files do not count: the presized cache's
    pages are another for each dataset, and the kernel takes them back where memory is short.
    Both count from the last :func:`free_memory` on.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return _anonymous.look()


def _anonymous_bytes() -> int:
    """RssAnon on Linux; elsewhere, where nobody tells it apart, the whole resident set's peak."""
    if sys.platform == "linux":
        found = re.search(r"^RssAnon:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return getrusage(RUSAGE_SELF).ru_maxrss * unit
