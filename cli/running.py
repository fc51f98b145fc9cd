"""Noting which stacks run on this machine for this user, so that ``pedigree.finding`` finds them from anywhere."""

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cli.data_folder import DataFolder
from cli.errors import StackError
from cli.whole import write_whole
from pedigree import finding


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
        known = finding.network()
        note = {"data": str(folder.root), "host": socket.gethostname(), **({"net": known} if known else {})}
        write_whole(noted, json.dumps(note).encode(), mode=0o600)
        write_whole(finding.last_note(), json.dumps(note).encode(), mode=0o600)
    except OSError as error:
        raise StackError(f"{noted.parent} cannot be written ({error.strerror}).") from None


def forget(folder: DataFolder) -> None:
    """Take the note back, under whatever name of this machine it was made."""
    for noted in finding.notes_folder().glob("*.json"):
        with suppress(OSError):  # another reader may just have removed it
            if finding.folder_noted(noted) == folder.root:
                noted.unlink(missing_ok=True)


def find_stack(data: Path | None) -> StackChoice:
    """The data folder that is named, or the default one; where none is named and no stack runs on it, the running one.

    Of several running ones the one started last.
    """
    own = DataFolder.at(data)
    if data is not None or os.environ.get("PEDIGREE_DATA"):
        return StackChoice(own, named=True)
    if own.running():
        return StackChoice(own)
    running = finding.running_folders()
    return StackChoice(DataFolder(running[0]), among=len(running)) if running else StackChoice(own)


def _machine() -> str:
    with suppress(OSError):
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return ""


def _note_of(folder: DataFolder) -> Path:
    """Machines that share a home and a name differ by their number, where they have one."""
    named = f"{_machine()}{socket.gethostname()}:{folder.root}"
    return finding.notes_folder() / f"{sha256(os.fsencode(named)).hexdigest()[:16]}.json"
