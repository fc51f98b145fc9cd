"""Becomes another program, tied to the life of the process that started it.

Run by path with `python -I -S`, so it imports nothing but the standard library and costs a few milliseconds. It exists
because a death signal has to be set in the child, between fork and exec, and Python code there (``preexec_fn``) may
deadlock as soon as the parent has threads.

    launch.py PARENT SIGNAL USER -- PROGRAM [ARGUMENT…]

PARENT is the process id to outlive for no longer than it takes to handle SIGNAL; USER is ``uid:gid`` or ``-``. Ends
with ``OUT_OF_REACH`` and a sentence where USER cannot be had or cannot reach the program or the working directory.
"""

import ctypes
import os
import sys
from pathlib import Path

OUT_OF_REACH = 77
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def become_user(uid: int, gid: int) -> None:
    """Give up root for another user, keeping only the right to reach files.

    The server refuses to run as root, yet the data folder and this environment may lie under folders that only root
    may enter. Widening those folders for everybody would be the alternative.

    Raises:
        OSError: this root may not become another user, or there is no such one here.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # access(2), by which Postgres looks for its own programs, else counts no right of a user who is not root
        held = max(libc.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), 0)
        libc.prctl(PR_SET_SECUREBITS, held | SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        keep_reach(libc)


def keep_reach(libc: ctypes.CDLL) -> None:
    """Of all rights keep the one that passes folders, over the exec too; none where root itself lacks it."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    kept = 1 << CAP_DAC_OVERRIDE
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if (
        libc.capset(header, effective_permitted_inheritable) != 0
        or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) != 0
    ):
        libc.capset(header, (ctypes.c_uint32 * 6)())


def die_with(parent: int, death_signal: int) -> None:
    """Ask the kernel to signal this process when its parent's thread ends; a change of user would undo it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that asked for this one has already ended")


def blocked(program: Path) -> Path | None:
    """The first thing on the way to the program and the working directory that is shut to this user, if any.

    Asked by access(2), as the server itself asks: what an open would allow is not enough for it.
    """
    working = Path.cwd()
    for folder in [*reversed(program.parents), *reversed(working.parents), working]:
        if folder.exists() and not os.access(folder, os.X_OK):
            return folder
    return program if program.exists() and not os.access(program, os.R_OK | os.X_OK) else None


def settle_as(uid: int, gid: int, program: Path) -> None:
    """Become the user; end here where that cannot be or would not help."""
    try:
        become_user(uid, gid)
    except OSError as error:
        say_out_of_reach(f"root here may not become user {uid} ({error.strerror})")
    if (folder := blocked(program)) is not None:
        say_out_of_reach(f"user {uid} may not pass {folder}, and root here cannot give that right")


def say_out_of_reach(sentence: str) -> None:
    """Say why, and end with the status that means it."""
    sys.stderr.write(f"{sentence}\n")
    sys.exit(OUT_OF_REACH)


def main(arguments: list[str]) -> None:
    """Set up what the first three arguments ask for and become the program after ``--``."""
    parent, death_signal, user, _, *command = arguments
    if user != "-":
        uid, gid = user.split(":")
        settle_as(int(uid), int(gid), Path(command[0]))
    die_with(int(parent), int(death_signal))
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
