"""Where the service answers: by name, by the shell's variables, or as what runs on this machine says itself.

The command ``pedigree`` looks here too: an address, else the data folder that is given, else PEDIGREE_URL, else
PEDIGREE_DATA, else ``./.pedigree`` or the user's own, else the stack of this user that was started last.

A stack notes its data folder, and no address: whether it runs there, and where it answers, that folder itself says. So
a note that a killed stack left behind leads nobody astray, and the next reader removes it. One from before the machine
started again goes when a stack starts on its folder.
"""

import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

from pedigree.errors import Unreachable

HERE = Path(".pedigree")
LOCK = "lock"
HINT = "Start one with `pedigree up`, or give its address: Client('http://…')."


def find_url(url: str | None = None, data: str | os.PathLike[str] | None = None) -> str:
    """The address to ask.

    Raises:
        Unreachable: none is known.
    """
    if known := url or (None if data else os.environ.get("PEDIGREE_URL")):
        return (known if "://" in known else f"http://{known}").rstrip("/")
    folder = Path(data or default_folder()).expanduser().absolute()
    looked_at = [folder] if data or os.environ.get("PEDIGREE_DATA") else [folder, *running_folders()]
    for found in map(stack_at, looked_at):
        if found is not None:
            return str(found["url"]).rstrip("/")
    last = None if data or os.environ.get("PEDIGREE_DATA") else started_last(folder)
    raise Unreachable(f"no service is known: none runs on {folder}", code="no_service", hint=last or HINT)


def default_folder() -> Path:
    """PEDIGREE_DATA, else ``.pedigree`` in the working directory where there is one, else the user's own.

    A checkout keeps what it makes to itself, and a command given anywhere else finds the user's one stack.
    """
    if named := os.environ.get("PEDIGREE_DATA"):
        return Path(named)
    if HERE.is_dir():
        return HERE
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "pedigree"


def stack_at(folder: Path) -> dict[str, Any] | None:
    """What the stack that has this data folder now wrote, once it said where it answers; asking makes nothing.

    What a killed stack left is none: another may have its address by now. So it is where the folder is held by another
    process, which makes a backup for example.
    """
    with suppress(OSError, ValueError):
        if _is_held(folder / LOCK):
            written = json.loads((folder / "stack.json").read_text(encoding="utf-8"))
            if isinstance(written, dict) and "url" in written:
                holder = holder_of(folder)
                return written if holder in {None, written.get("pid", holder)} else None
    return None


def holder_of(folder: Path) -> int | None:
    """The process that holds a data folder, where one does and has written its number."""
    with suppress(OSError, ValueError):
        if _is_held(folder / LOCK):
            return int((folder / LOCK).read_text(encoding="utf-8"))
    return None


def running_folders() -> list[Path]:
    """The data folders on which a stack of this user runs here, the one noted last first."""
    found: list[tuple[int, Path]] = []
    for note in notes_folder().glob("*.json"):
        with suppress(OSError):  # it was just removed, or is none of ours to read
            about = note.stat()
            if _is_ours(about) and (folder := _noted(note)) is not None:
                found.append((about.st_mtime_ns, folder))
    # A stack has a second note where the machine was called otherwise when one before it was killed.
    return list(dict.fromkeys(folder for _, folder in sorted(found, key=lambda one: one[0], reverse=True)))


def notes_folder() -> Path:
    """Where the stacks of this user are noted."""
    named = os.environ.get("XDG_STATE_HOME", "")
    state = Path(named) if Path(named).is_absolute() else _home() / ".local" / "state"
    return state / "pedigree" / "stacks"


def last_note() -> Path:
    """What says where the last of these stacks ran, when none does any more."""
    return notes_folder().parent / "last.json"


def last_folder() -> Path | None:
    """Where a stack of this user ran last on this machine, if its data is still there."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        written = json.loads(last_note().read_text(encoding="utf-8"))
        folder = Path(written["data"])
        if written["host"] == socket.gethostname() and folder.is_dir():
            return folder
    return None


def started_last(asked: Path) -> str | None:
    """Where a stack of this user ran last, in a sentence; None where that is the folder asked, or is gone."""
    folder = last_folder()
    if folder is None or folder == asked:
        return None
    return f"The last one ran on {folder}: `pedigree up --data {quote(str(folder))}` starts it again."


def folder_noted(note: Path) -> Path | None:
    """The folder of a note that a stack here wrote; None of one that another machine wrote, where homes are shared.

    Raises:
        OSError: it cannot be read.
    """
    try:
        written = json.loads(note.read_text(encoding="utf-8"))
        known = network()
        is_ours = written["net"] == known if known and "net" in written else written["host"] == socket.gethostname()
        return Path(written["data"]) if is_ours else None
    except (ValueError, KeyError, TypeError):
        return None


def network() -> str | None:
    """What 127.0.0.1 is here, until this machine starts again; None where the system does not say.

    Two machines never have the same, whatever they are called, nor have two containers; and what a machine is called
    may change while a stack runs.
    """
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{Path('/proc/self/ns/net').stat().st_ino}"
    return None


def _noted(note: Path) -> Path | None:
    """The folder of a note, if its stack runs; a note of this machine whose stack does not is removed."""
    folder = folder_noted(note)
    if folder is None or stack_at(folder) is not None:
        return folder
    note.unlink(missing_ok=True)
    return None


if sys.platform == "win32":  # no stack runs there: an address has to be given

    def _is_held(lock: Path) -> bool:
        del lock
        return False

    def _is_ours(about: os.stat_result) -> bool:
        del about
        return False

    def _home() -> Path:
        return Path.home()

else:
    import fcntl
    import pwd

    def _is_held(lock: Path) -> bool:
        """Whether a running stack holds its folder."""
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _is_ours(about: os.stat_result) -> bool:
        return about.st_uid == os.geteuid()

    def _home() -> Path:
        """HOME, unless it is another user's, as under ``sudo -E``: there nothing of ours is wanted."""
        named = os.environ.get("HOME", "")
        with suppress(OSError):
            if Path(named).is_absolute() and Path(named).stat().st_uid == os.geteuid():
                return Path(named)
        with suppress(KeyError):
            return Path(pwd.getpwuid(os.geteuid()).pw_dir)
        return Path(named or "/")
