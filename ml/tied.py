"""A process that ends with the one that started it, however that one ends."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> bool:
    """Have the kernel (Linux) kill this process when the thread that started it ends; False where it has ended already.

    Elsewhere a process sees on the line to its parent that nobody is there.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    return os.getppid() == parent
