"""The data folder of a stack on this machine: where it is, what lies where, who has it, where the service answers."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cli.errors import StackError
from cli.processes import wait_until
from cli.whole import write_whole
from pedigree.finding import LOCK, default_folder, holder_of, stack_at

ASKING_SECONDS = 0.5
_CLOSED = ("artifacts", "cache", "logs", "weights")
"""The servers close their own."""


@dataclass(frozen=True)
class DataFolder:
    """Names inside a data folder; ``root`` is absolute."""

    root: Path

    @classmethod
    def at(cls, path: Path | None) -> "DataFolder":
        """The folder given, or the default one.

        Raises:
            StackError: it lies in the user's home, and the system knows none.
        """
        try:
            return cls((path or default_folder()).expanduser().absolute())
        except RuntimeError:
            raise StackError(
                "HOME is not set, and the system knows no home of this user.", "Name a folder with --data."
            ) from None

    @property
    def stack_file(self) -> Path:
        """Address and process ids of the running stack; absent while none runs."""
        return self.root / "stack.json"

    @property
    def weights(self) -> Path:
        """Pretrained weight files, where PEDIGREE_WEIGHTS names no other folder."""
        return self.root / "weights"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"

    def stack(self) -> dict[str, Any] | None:
        """What the running stack wrote, or None."""
        try:
            written: dict[str, Any] = json.loads(self.stack_file.read_text())
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return None
        return written

    def write_stack(self, stack: dict[str, Any]) -> None:
        """Say where the stack answers; a reader sees the old text or the new, never half."""
        write_whole(self.stack_file, (json.dumps(stack, indent=2) + "\n").encode())

    def running(self) -> dict[str, Any] | None:
        """What the stack that has this folder now wrote, once it said where it answers."""
        return stack_at(self.root)

    def holder(self) -> int | None:
        """The process that holds the folder now, where one does and says its number."""
        return holder_of(self.root)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel lets go of it however the process ends.

        Its number is in the file meanwhile, and what a killed stack wrote of itself is removed: who asks what runs
        here takes neither the one for the other.

        Raises:
            StackError: another process has it, or the folder cannot be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / LOCK).open("ab", buffering=0)
        except OSError as error:
            raise StackError(
                f"{self.root} cannot be used: {error.strerror}.", "Name another folder with --data."
            ) from None
        with file:
            # whoever only asks whether it is held lets go of it at once
            if not wait_until(lambda: _locked(file), ASKING_SECONDS):
                raise self._taken()
            self._take(file)
            yield

    def close_to_others(self) -> None:
        """Let nobody but their owner into the folders of pictures, models, weights and logs; they are made here.

        A folder that was put here by a link is somebody's own, who decides who may read it.

        Raises:
            StackError: one cannot be made or closed.
        """
        for name in _CLOSED:
            folder = self.root / name
            if folder.is_symlink():
                continue
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            except OSError as error:
                detail = f"{folder} cannot be closed to other users: {error.strerror}."
                raise StackError(
                    detail, "Give it to the user of the stack, or name another folder with --data."
                ) from None

    def _take(self, file: IO[bytes]) -> None:
        try:
            self.stack_file.unlink(missing_ok=True)
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        except OSError as error:
            raise StackError(
                f"{self.root} cannot be written: {error.strerror}.", "Free space there, or name another folder."
            ) from None

    def _taken(self) -> StackError:
        stack, holder = self.running(), self.holder()
        if stack is not None:
            detail = f"A stack already runs on {self.root} and answers at {stack['url']}."
            return StackError(detail, "Stop that one, or name another folder with --data.")
        who = "another process" if holder is None else f"process {holder}"
        detail = f"{self.root} is in use by {who}: a stack that starts or stops, a backup, or another command."
        return StackError(detail, "Wait until it has ended, or name another folder with --data.")


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
