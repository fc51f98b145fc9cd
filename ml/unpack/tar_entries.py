"""The entries of a tar that anyone may have made."""

import tarfile
from collections.abc import Iterator
from functools import partial
from typing import IO

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import PADDING, Content, Entry, no_file, shown
from ml.unpack.entry_names import tar_name
from ml.unpack.metered import Budget, ByteStream, MeteredReader
from ml.unpack.tar_headers import NOT_SPARSE, TarHeaders

_CHUNK = 1 << 20
_LABEL, _FOLDERS_LISTED, _GOES_ON = b"V", b"D", b"M"
"""GNU tar's own kinds of entry: an archive's label, a folder's list in an incremental archive, the rest of a file."""


def is_tar(head: bytes) -> bool:
    """Whether the first block of a file, 512 bytes, is a tar's: a header with its checksum, or an empty tar's end."""
    if is_blank(head):
        return True
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def is_blank(block: bytes) -> bool:
    """Whether it is an end mark, of which a tar without entries has nothing else."""
    return len(block) == tarfile.BLOCKSIZE and not any(block)


def tar_entries(unpacked: ByteStream, budget: Budget, encoding: str | None) -> Iterator[Entry]:
    """Each entry; its content can be read while it is at hand.

    Args:
        unpacked: the tar's own bytes.
        budget: what reading may cost.
        encoding: of names; None: UTF-8, with other bytes as surrogates.

    Raises:
        ArchiveRejected: an entry is a link that leads somewhere else, a device or a sparse file; the tar is cut short;
            a header is broken, or something lies behind its end: entries would be lost without a word.
    """
    reader = MeteredReader(unpacked, budget)
    reader.headers = headers = TarHeaders()
    with tarfile.open(fileobj=reader, mode="r:", encoding=encoding or "utf-8", errors="surrogateescape") as tar:
        members = iter(tar)
        while (member := next(members, None)) is not None:
            reader.headers = None
            if member.type == _LABEL and not member.size:
                budget.entry()
            else:
                yield _entry(tar, member, encoding)
            # What tarfile keeps for random access would grow with the archive.
            tar.members = []  # type: ignore[attr-defined]  # not in the stub
            tar.pax_headers = {}
            reader.headers = headers = TarHeaders()
    reader.headers = None
    if reader.ended_early:
        raise ArchiveRejected("the archive is cut short: its end mark is missing", hint="Make it again.")
    # Tarfile takes a header whose checksum does not hold for the end.
    if any(headers.last):
        detail = "a header in the archive is broken, and what follows it would be lost"
        raise ArchiveRejected(detail, hint="Make it again.")
    _read_rest(reader)


def _read_rest(reader: MeteredReader) -> None:
    """Read what lies behind the end mark, which lets a decompressor verify its checksum; it has to be padding.

    Programs of old left there what their memory held, which nothing tells from files whose headers are lost.
    """
    while chunk := reader.read(_CHUNK):
        if chunk.strip(PADDING):
            detail = "the archive goes on behind its end mark: another lies there, or a header in it is lost"
            hint = "Join archives with `tar --concatenate`, or send them one by one. Make a damaged one again."
            raise ArchiveRejected(detail, hint)


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, encoding: str | None) -> Entry:
    name = tar_name(member.name, encoding)
    if member.size < 0:
        raise ArchiveRejected(f"{shown(name)} has a size below 0", hint="Make the archive again.")
    if member.type in {_FOLDERS_LISTED, _GOES_ON}:
        detail = f"the archive is an incremental or a multi-volume one ({shown(name)})"
        raise ArchiveRejected(detail, hint="Make it again without --listed-incremental and --multi-volume.")
    if member.isdir() or (member.isreg() and not member.size and name.endswith("\\")):
        return Entry(name)
    if member.islnk():
        return Entry(name, same_as=tar_name(member.linkname, encoding))
    if member.issparse():
        raise ArchiveRejected(f"{shown(name)} is a sparse file", hint=NOT_SPARSE)
    if not member.isreg():
        raise no_file(name)
    return Entry(name, Content(partial(_opened, tar, member)))


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None  # noqa: S101 - it is a plain file
    return content
