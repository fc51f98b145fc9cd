"""Which code a process runs: a worker keeps it with its row, so that the API can tell one that runs other code."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

HOUSE = Path(__file__).parent.parent
ROOMS = ("ml", "store", "worker")
"""What a job is read, learned and recorded by. What else is changed makes no worker another one."""
DIGITS = 8


@cache
def code_version() -> str:
    """The package's version and a digest of its source, as ``0.1.0+1f3a9c07``; a process asks once, at its start."""
    return f"{version('pedigree')}+{source_digest(HOUSE)}"


def source_digest(house: Path) -> str:
    """The first digits of SHA-256 over names and contents of the rooms' modules below ``house``."""
    whole = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (house / room).rglob("*.py")):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(house).as_posix()} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()[:DIGITS]
