"""The entries of a zip that anyone may have made."""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import IO

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry, no_file, shown
from ml.unpack.entry_names import ZipNames
from ml.unpack.metered import Budget
from ml.unpack.zip_contents import ZipContents
from ml.unpack.zip_directory import Member, ZipDirectory

_ENCRYPTED = 0x1
_DOS_FOLDER = 0x10
_KINDS = frozenset({0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO})
"""Of what an entry was made: a pipe's is what came through it (`zip photos.zip -`), a file like others."""
_READ = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Zipfile unpacks others without a limit: one read of bzip2 gives gigabytes, LZMA takes a dictionary of any size."""
_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    10: "PKWARE's Implode",
    12: "bzip2",
    14: "LZMA",
    20: "Zstandard",
    93: "Zstandard",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}
"""Names of what is not read (APPNOTE.TXT 4.4.5)."""
_OTHER_WAY = (
    "Pack it by Deflate, as zip does and 7-Zip where the method is set to Deflate, or send a .tar.gz. Windows takes "
    "Deflate64 for more than 2 GB."
)

_NO_FOLDER = (
    "Make the archive again with another program, or, where its names are in an old encoding, give `encoding`: in some "
    "a letter ends as a folder does."
)


def zip_entries(file: IO[bytes], budget: Budget, names: ZipNames, directory_bytes: int) -> Iterator[Entry]:
    """Each entry; its content can be read while it is at hand.

    Args:
        file: the zip.
        budget: what reading may cost.
        names: reads the entries' names.
        directory_bytes: the most that the list of entries may have.

    Raises:
        ArchiveRejected: the list of entries is too long or damaged (ml.unpack.zip_directory), or has an entry that is
            encrypted, a link, a device, nameless, or packed by a method that is not read.
    """
    directory = ZipDirectory(file, directory_bytes, partial(_counted, file, budget))
    # The list lies at the end; progress begins at the front.
    file.seek(0)
    budget.promised(directory.size, directory.count)
    contents = ZipContents(file, budget)
    names.backslashes_separate = directory.backslashes_separate
    for member in directory.members():
        name = names.read(member.raw, member.flags, member.extra)
        _check(member, name)
        if _is_folder(member, name):
            yield Entry(name)
            continue
        with closing(contents.of(member)) as content:
            yield Entry(name, content)


def _counted(file: IO[bytes], budget: Budget, entries: int) -> None:
    """Check how many there are, and tell of it as from the front: the list lies at the end, progress goes forwards."""
    budget.promised(0, entries)
    at = file.tell()
    file.seek(0)
    budget.tell()
    file.seek(at)


def _check(member: Member, name: str) -> None:
    if member.flags & _ENCRYPTED:
        raise ArchiveRejected(f"{shown(name)} is encrypted", hint="Make the archive without a password.")
    if stat.S_IFMT(member.attributes >> 16) not in _KINDS:
        raise no_file(name)
    if not name:
        raise ArchiveRejected("an entry of the archive has no name", hint="Name every entry.")
    if member.method not in _READ:
        method = _METHODS.get(member.method, "an unknown one")
        detail = f"{shown(name)} is packed by method {member.method} ({method}), which is not read"
        raise ArchiveRejected(detail, hint=_OTHER_WAY)


def _is_folder(member: Member, name: str) -> bool:
    """Whether it is a folder's entry, by its name or, without content, by its attributes.

    Raises:
        ArchiveRejected: it is named as a folder and has content.
    """
    if not name.endswith(("/", "\\")):
        marked = stat.S_ISDIR(member.attributes >> 16) or bool(member.attributes & _DOS_FOLDER)
        return marked and member.size == 0
    if member.size:
        detail = f"{shown(name)} is named as a folder and has {member.size} bytes"
        raise ArchiveRejected(detail, hint=_NO_FOLDER)
    return True
