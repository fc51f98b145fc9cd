"""The file of a backup: an uncompressed tar, in which every header is the one that this module would write.

Anything that reads tar can unpack it. What is read here is taken only where it is the same to the byte: so there are no
links, devices, folders or foreign names in it, and no compression that could make much of little.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import IO

from backup.description import OTHER, BackupInvalid

BLOCK = tarfile.BLOCKSIZE
CHUNK_BYTES = 1024 * 1024
NAME_BYTES = 100
"""Of a plain tar header; a longer name would need a second one."""
_ZEROS = bytes(BLOCK)
_END = _ZEROS * 2
CUT = "the file ends in the middle of a backup"
AGAIN = "Copy it again from where it was made, or restore another backup."


@dataclass(frozen=True)
class Entry:
    """One entry of the file that is read: its name, its size in bytes and where its content begins."""

    name: str
    bytes: int
    start: int


class Writer:
    """Writes entries one after the other to a file that can be gone back in."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, name: str, parts: Iterator[bytes]) -> tuple[int, str]:
        """Write an entry whose size is known when all its parts are; the size in bytes and the sha256, hex.

        Where ``parts`` raises, nothing of the entry is left.
        """
        start = self._file.tell()
        digest, size = sha256(), 0
        try:
            self._file.write(_ZEROS)
            for part in parts:
                digest.update(part)
                size += len(part)
                self._file.write(part)
            self._file.write(_padding(size))
            end = self._file.tell()
            self._file.seek(start)
            self._file.write(header(name, size))
        except BaseException:
            self._file.seek(start)
            self._file.truncate()
            raise
        self._file.seek(end)
        return size, digest.hexdigest()

    def close(self) -> None:
        """Write the end; without it the file is no backup."""
        self._file.write(_END)


def header(name: str, size: int) -> bytes:
    """The one header of an entry, 512 bytes.

    Raises:
        ValueError: the name does not fit.
    """
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    block = entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    if len(block) != BLOCK:
        message = f"the name {name!r} is longer than {NAME_BYTES} bytes"
        raise ValueError(message)
    return block


def entries(file: IO[bytes], size: int) -> Iterator[Entry]:
    """The entries of a file of ``size`` bytes, in their order, to its very end; content is not read.

    Raises:
        BackupInvalid: it is no such file, or not the whole of one.
    """
    at = 0
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise BackupInvalid(CUT if at else "the file is no backup of Pedigree", hint=AGAIN if at else OTHER)
        if block == _ZEROS:
            if file.read(BLOCK) != _ZEROS or file.read(1):
                raise BackupInvalid("the file does not end where the backup ends", hint=AGAIN)
            return
        entry = _entry(block, at)
        after = entry.start + entry.bytes + len(_padding(entry.bytes))
        if after > size:
            raise BackupInvalid(CUT, hint=AGAIN)
        yield entry
        at = after


def content(file: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """An entry's bytes, a part at a time, and the zeros behind them.

    Raises:
        BackupInvalid: the file has become shorter, or something else stands behind them.
    """
    file.seek(entry.start)
    left = entry.bytes
    while left:
        part = file.read(min(CHUNK_BYTES, left))
        if not part:
            raise BackupInvalid(CUT, hint=AGAIN)
        left -= len(part)
        yield part
    padding = _padding(entry.bytes)
    if file.read(len(padding)) != padding:
        raise BackupInvalid(f"the backup is damaged at {entry.name}", hint=AGAIN)


def _entry(block: bytes, at: int) -> Entry:
    """What a header says, where it is one of ours."""
    try:
        found = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        is_ours = found.size >= 0 and header(found.name, found.size) == block
    except (tarfile.HeaderError, ValueError, OverflowError):
        is_ours = False
    if not is_ours:
        what = "the backup is damaged, or was made by something else" if at else "the file is no backup of Pedigree"
        raise BackupInvalid(what, hint=AGAIN if at else OTHER)
    return Entry(found.name, found.size, at + BLOCK)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
