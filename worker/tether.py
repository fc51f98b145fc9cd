"""``python -m worker.tether PARENT PROGRAM…``: becomes the program, killed by the kernel when PARENT ends.

A worker that is killed must not leave a training process behind on its GPU. The wish to be killed has to be spoken in
the child before it does anything else, and it survives exec; so it is spoken here, where nothing heavy is imported.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent's life and become what the arguments name."""
    parent, *program = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the worker that started this ended meanwhile")
    os.execv(program[0], program)  # noqa: S606  # no shell, and the program is the worker's own


if __name__ == "__main__":
    main(sys.argv[1:])
