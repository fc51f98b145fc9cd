"""The entries of a tar that anyone may have made."""

import tarfile
from collections.abc import Iterator

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry, no_file
from ml.unpack.entry_names import tar_name
from ml.unpack.metered import Budget, ByteStream, MeteredReader
from ml.unpack.tar_headers import TarHeaders

_CHUNK = 1 << 20


def is_tar(head: bytes) -> bool:
    """Whether the first block of a file, 512 bytes, is a tar's: a header with its checksum, or an empty tar's end."""
    if len(head) == tarfile.BLOCKSIZE and not any(head):
        return True
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def tar_entries(unpacked: ByteStream, budget: Budget, encoding: str | None) -> Iterator[Entry]:
    """Each entry, its content open while it is at hand.

    Args:
        unpacked: the tar's own bytes.
        budget: what reading may cost.
        encoding: of names; None: UTF-8, with other bytes as surrogates.

    Raises:
        ArchiveRejected: an entry is a link that leads somewhere else, a device or a sparse file; the tar is cut short.
    """
    reader = MeteredReader(unpacked, budget)
    reader.headers = TarHeaders()
    with tarfile.open(fileobj=reader, mode="r:", encoding=encoding or "utf-8", errors="surrogateescape") as tar:
        members = iter(tar)
        while (member := next(members, None)) is not None:
            reader.headers = None
            yield _entry(tar, member, encoding)
            # What tarfile keeps for random access would grow with the archive.
            tar.members = []  # type: ignore[attr-defined]  # not in the stub
            tar.pax_headers = {}
            reader.headers = TarHeaders()
    reader.headers = None
    if reader.ended_early:
        raise ArchiveRejected("the archive is cut short: its end mark is missing", hint="Make it again.")
    while reader.read(_CHUNK):
        """The rest is padding; reading it lets the decompressor verify its checksum."""


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, encoding: str | None) -> Entry:
    name = tar_name(member.name, encoding)
    if member.isdir() or (member.isreg() and not member.size and name.endswith("\\")):
        return Entry(name)
    if member.islnk():
        return Entry(name, same_as=tar_name(member.linkname, encoding))
    # None for what is no file.
    content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if content is None:
        raise no_file(name)
    return Entry(name, content)
