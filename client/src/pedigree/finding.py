"""Where the service answers: by name, by the shell's variables, or as what runs on this machine says itself.

The same order as the command ``pedigree`` has: an address, else PEDIGREE_URL, else the data folder that is named, else
``./.pedigree`` or the user's own, else the stack of this user that was started last.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pedigree.errors import Unreachable

HINT = "Start one with `pedigree up`, or give its address: Client('http://…')."


def find_url(url: str | None = None, data: str | os.PathLike[str] | None = None) -> str:
    """The address to ask.

    Raises:
        Unreachable: none is known.
    """
    if known := url or (None if data else os.environ.get("PEDIGREE_URL")):
        return (known if "://" in known else f"http://{known}").rstrip("/")
    named = data or os.environ.get("PEDIGREE_DATA")
    folder = Path(named).expanduser().absolute() if named else _usual_folder()
    found = running_at(folder)
    if found is None and not named:
        found = next(iter(_running_elsewhere()), None)
    if found is None:
        raise Unreachable(f"no service is known: none runs on {folder}", code="no_service", hint=HINT)
    return found


def running_at(folder: Path) -> str | None:
    """The address of the stack that has this data folder now; what a killed one left behind is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        if _is_held(folder / "lock"):
            return str(json.loads((folder / "stack.json").read_text(encoding="utf-8"))["url"]).rstrip("/")
    return None


def _usual_folder() -> Path:
    here = Path(".pedigree")
    if here.is_dir():
        return here.absolute()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "pedigree"


def _running_elsewhere() -> Iterator[str]:
    """The stacks that this user's notes name, the one noted last first; a shared home may note other machines'."""
    notes: list[tuple[int, Path]] = []
    for note in _notes_folder().glob("*.json"):
        with suppress(OSError):
            notes.append((note.stat().st_mtime_ns, note))
    for _, note in sorted(notes, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(note.read_text(encoding="utf-8"))
            if said["host"] == socket.gethostname() and (url := running_at(Path(said["data"]))) is not None:
                yield url


def _notes_folder() -> Path:
    named = os.environ.get("XDG_STATE_HOME", "")
    home = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"
    return home / "pedigree" / "stacks"


if sys.platform == "win32":  # no stack runs there: an address has to be given

    def _is_held(lock: Path) -> bool:
        del lock
        return False

else:
    import fcntl

    def _is_held(lock: Path) -> bool:
        """Whether a running stack holds its folder; asking makes nothing."""
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False
