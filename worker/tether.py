"""``python -m worker.tether PARENT NICENESS PROGRAM…``: becomes the program, killed by the kernel when PARENT ends.

A worker that is killed must not leave a training process behind on its GPU. The wish to be killed has to be spoken in
the child before it does anything else, and it survives exec; so it is spoken here, where nothing heavy is imported.
"""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

LEARNING_NICENESS = 5
"""Of what learns on a CPU: against the 0 of the API and of a browser beside it, a quarter of a core that both want."""
LIGHT_NICENESS = 10
"""Against what learns on a CPU the kernel gives a process of this niceness a quarter of a core that both want."""

_PR_SET_PDEATHSIG = 1


def tethered(module: str, *words: int | str, niceness: int) -> list[str]:
    """``python -m MODULE WORDS`` by way of the tether, which has the kernel end it with this process."""
    child = [sys.executable, "-m", module, *map(str, words)]
    return [sys.executable, "-m", "worker.tether", str(os.getpid()), str(niceness), *child]


def main(arguments: list[str]) -> None:
    """Tie this process to its parent's life and become what the arguments name."""
    parent, niceness, *program = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the worker that started this ended meanwhile")
    if int(niceness):
        give_way(int(niceness))
    os.execv(program[0], program)  # noqa: S606  # no shell, and the program is the worker's own


def give_way(niceness: int) -> None:
    """Let others have the CPU first, for this process and what it starts.

    It leads a session of its own, which Linux may treat as one task among others: then the niceness within it counts
    for nothing, and the session's own decides.
    """
    os.nice(niceness)
    # Not there on other systems, and refused to whom the kernel has just let change another.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1:])
