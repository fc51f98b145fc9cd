"""Files that are there whole or not at all."""

import os
from pathlib import Path
from uuid import uuid4


def write_whole(place: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file in place of one that is there, which stays until the new one is whole; ``mode`` is less the umask.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    scratch = place.with_name(f".{uuid4().hex}")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        scratch.replace(place)
    finally:
        scratch.unlink(missing_ok=True)
