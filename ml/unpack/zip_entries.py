"""The entries of a zip that anyone may have made."""

import stat
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry, no_file
from ml.unpack.entry_names import ZipNames
from ml.unpack.metered import Budget
from ml.unpack.zip_directory import DirectoryGuard, check_count

_ENCRYPTED = 0x1
_SPLIT_MARK = 4
"""Bytes of the mark before the first entry of an archive that might have been split (APPNOTE.TXT 8.5.4)."""
_DOS_FOLDER = 0x10
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


def zip_entries(file: IO[bytes], budget: Budget, names: ZipNames, directory_bytes: int) -> Iterator[Entry]:
    """Each entry, its content open while it is at hand.

    Args:
        file: the zip.
        budget: what reading may cost.
        names: reads the entries' names.
        directory_bytes: the most that the list of entries may have.

    Raises:
        ArchiveRejected: too long a list of entries, or another than the zip's end says, or one with an entry that is
            encrypted, a link, a device, nameless, or packed by a method that is not read.
    """
    guarded = DirectoryGuard(file, directory_bytes, partial(_counted, file, budget))
    with zipfile.ZipFile(guarded) as packed:
        guarded.opening = False
        members = packed.infolist()
        check_count(file, len(members))
        _check_start(members)
        # The list lies at the end; progress begins at the front.
        file.seek(0)
        budget.promised(sum(member.file_size for member in members), len(members))
        for member in members:
            name = names.read(member.orig_filename, member.flag_bits, member.extra)
            _check(member, name)
            if _is_folder(member, name):
                yield Entry(name)
                continue
            with packed.open(member) as content:
                yield Entry(name, content)


def _check_start(members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise ArchiveRejected where something lies before the first entry: by its first bytes that is an archive too."""
    if members and min(member.header_offset for member in members) > _SPLIT_MARK:
        detail = "another zip, or a part of one, lies before the first entry"
        raise ArchiveRejected(detail, hint="Send the zips one by one, or make one of them.")


def _counted(file: IO[bytes], budget: Budget, entries: int) -> None:
    """Check how many there are, and tell of it as from the front: the list lies at the end, progress goes forwards."""
    budget.promised(0, entries)
    at = file.tell()
    file.seek(0)
    budget.tell()
    file.seek(at)


def _check(member: zipfile.ZipInfo, name: str) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveRejected(f"{name!r} is encrypted", hint="Make the archive without a password.")
    if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise no_file(name)
    if not name:
        raise ArchiveRejected("an entry of the archive has no name", hint="Name every entry.")
    if member.compress_type not in _READ:
        method = _METHODS.get(member.compress_type, "an unknown one")
        detail = f"{name!r} is packed by method {member.compress_type} ({method}), which is not read"
        raise ArchiveRejected(detail, hint=_OTHER_WAY)


def _is_folder(member: zipfile.ZipInfo, name: str) -> bool:
    """Whether it is a folder's entry, by its name or, without content, by its attributes.

    Raises:
        ArchiveRejected: it is named as a folder and has content.
    """
    if not name.endswith(("/", "\\")):
        marked = stat.S_ISDIR(member.external_attr >> 16) or bool(member.external_attr & _DOS_FOLDER)
        return marked and member.file_size == 0
    if member.file_size:
        detail = f"{name!r} is named as a folder and has {member.file_size} bytes"
        raise ArchiveRejected(detail, hint="Make the archive again with another program.")
    return True
