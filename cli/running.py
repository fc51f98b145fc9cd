"""Which stacks run on this machine for this user: one small file for each, so that a command finds them from anywhere.

A file names a data folder and no address: whether a stack runs there, and where it answers, that folder itself says. So
a file that a killed stack left behind leads nobody astray, and the next reader removes it.
"""

import json
import os
import pwd
import socket
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cli.data_folder import DataFolder
from cli.errors import StackError
from cli.whole import write_whole


@dataclass(frozen=True)
class StackChoice:
    """A data folder, and among how many running ones it was chosen; 0 where it was ``named`` or is the default."""

    folder: DataFolder
    among: int = 0
    named: bool = False


def remember(folder: DataFolder) -> None:
    """Note that a stack runs on the folder, for this user's eyes only; a reader sees a whole file or none.

    Raises:
        StackError: it cannot be noted.
    """
    noted = _note_of(folder)
    try:
        noted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = {"data": str(folder.root), "host": socket.gethostname()}
        write_whole(noted, json.dumps(note).encode(), mode=0o600)
    except OSError as error:
        raise StackError(f"{noted.parent} cannot be written ({error.strerror}).") from None


def forget(folder: DataFolder) -> None:
    """Take the note back."""
    with suppress(OSError):
        _note_of(folder).unlink(missing_ok=True)


def running_folders() -> list[DataFolder]:
    """The data folders on which a stack of this user runs here, the one noted last first."""
    found: list[tuple[int, DataFolder]] = []
    for noted in _notes_folder().glob("*.json"):
        with suppress(OSError):  # it was just removed, or is none of ours to read
            written_at, owner = noted.stat().st_mtime_ns, noted.stat().st_uid
            if owner == os.geteuid() and (folder := _read(noted)) is not None:
                found.append((written_at, folder))
    return [folder for _, folder in sorted(found, key=lambda one: one[0], reverse=True)]


def find_stack(data: Path | None) -> StackChoice:
    """The data folder that is named, or the default one; where none is named and no stack runs on it, the running one.

    Of several running ones the one started last.
    """
    own = DataFolder.at(data)
    if data is not None or os.environ.get("PEDIGREE_DATA"):
        return StackChoice(own, named=True)
    if own.running():
        return StackChoice(own)
    running = running_folders()
    return StackChoice(running[0], among=len(running)) if running else StackChoice(own)


def _read(noted: Path) -> DataFolder | None:
    """The folder of a note, if its stack runs; a note of this machine whose stack does not is removed."""
    try:
        written = json.loads(noted.read_text())
        folder, host = DataFolder(Path(written["data"])), written["host"]
    except (ValueError, KeyError, TypeError):
        return None
    if host != socket.gethostname():  # a home that several machines share
        return None
    if folder.running():
        return folder
    noted.unlink(missing_ok=True)
    return None


def _note_of(folder: DataFolder) -> Path:
    named = f"{socket.gethostname()}:{folder.root}"
    return _notes_folder() / f"{sha256(os.fsencode(named)).hexdigest()[:16]}.json"


def _notes_folder() -> Path:
    return _state_home() / "pedigree" / "stacks"


def _state_home() -> Path:
    named = os.environ.get("XDG_STATE_HOME", "")
    return Path(named) if Path(named).is_absolute() else _home() / ".local" / "state"


def _home() -> Path:
    """HOME, unless it is another user's, as under ``sudo -E``: there nothing of ours is wanted."""
    named = os.environ.get("HOME", "")
    with suppress(OSError):
        if Path(named).is_absolute() and Path(named).stat().st_uid == os.geteuid():
            return Path(named)
    with suppress(KeyError):
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    return Path(named or "/")
