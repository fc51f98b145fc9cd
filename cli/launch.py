"""Becomes another program, tied to the life of the process that started it.

Run by path with `python -I -S`, so it imports nothing but the standard library and costs a few milliseconds. It exists
because a death signal has to be set in the child, between fork and exec, and Python code there (``preexec_fn``) may
deadlock as soon as the parent has threads.

    launch.py PARENT SIGNAL USER -- PROGRAM [ARGUMENT…]

PARENT is the process id to outlive for no longer than it takes to handle SIGNAL; USER is ``uid:gid`` or ``-``.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def become_user(uid: int, gid: int) -> None:
    """Give up root for another user, keeping only the right to reach files.

    The server refuses to run as root, yet the data folder and this environment may lie under folders that only root
    may enter. Widening those folders for everybody would be the alternative.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        kept = 1 << CAP_DAC_OVERRIDE
        effective_permitted_inheritable = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
        # Refused where root itself lacks the right: then the folders have to be open to the user anyway.
        if libc.capset(header, effective_permitted_inheritable) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def die_with(parent: int, death_signal: int) -> None:
    """Ask the kernel to signal this process when its parent's thread ends; a change of user would undo it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that asked for this one has already ended")


def main(arguments: list[str]) -> None:
    """Set up what the first three arguments ask for and become the program after ``--``."""
    parent, death_signal, user, _, *command = arguments
    if user != "-":
        uid, gid = user.split(":")
        become_user(int(uid), int(gid))
    die_with(int(parent), int(death_signal))
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
