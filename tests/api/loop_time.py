"""How long one callback holds the event loop: in the time of its own thread, which a busy machine does not stretch."""

import gc
import time
from asyncio import Handle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

HELD_SECONDS = 2.0
"""Many times what is promised of an ordinary machine: tests run on slow ones too. Before, there were minutes."""


@dataclass
class Longest:
    """Seconds of processor time that the longest callback took."""

    seconds: float = 0.0


@contextmanager
def longest_hold() -> Iterator[Longest]:
    """Measure every callback of every loop while the block runs; without pauses of the garbage collector."""
    longest = Longest()
    run = Handle._run

    def timed(handle: Handle) -> None:
        begun = time.thread_time()
        run(handle)
        longest.seconds = max(longest.seconds, time.thread_time() - begun)

    gc.collect()
    gc.disable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handle, "_run", timed)
        try:
            yield longest
        finally:
            gc.enable()
