"""The entries of a tar that anyone may have made."""

import tarfile
from collections.abc import Iterator
from itertools import islice

from ml.errors import ArchiveRejected
from ml.unpack.archive_entry import Entry, no_file
from ml.unpack.entry_names import tar_name
from ml.unpack.metered import Budget, ByteStream, MeteredReader
from ml.unpack.tar_headers import TarHeaders

_CHUNK = 1 << 20
_FORM, _FORM_AT = b"ustar", 257
_MOST_HEADERS = 1000
"""That are looked at behind an archive's end."""
_LABEL, _FOLDERS_LISTED, _GOES_ON = b"V", b"D", b"M"
"""GNU tar's own kinds of entry: an archive's label, a folder's list in an incremental archive, the rest of a file."""


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
        ArchiveRejected: an entry is a link that leads somewhere else, a device or a sparse file; the tar is cut short;
            a header is broken, or an archive lies behind its end: entries would be lost without a word.
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
    """Read what lies behind the end mark, which lets a decompressor verify its checksum; it has to be padding."""
    second = reader.read(tarfile.BLOCKSIZE)
    if len(second) == tarfile.BLOCKSIZE and any(second):
        raise ArchiveRejected("the archive goes on behind an end mark", hint="Make it again.")
    # Some programs leave anything in their padding, but no header.
    before, left = b"", _MOST_HEADERS
    while chunk := reader.read(_CHUNK):
        looked_at = before + chunk
        for at in islice(_headers_in(looked_at), left):
            left -= 1
            if is_tar(looked_at[at : at + tarfile.BLOCKSIZE]):
                detail = "another archive lies behind the end of the first"
                raise ArchiveRejected(detail, hint="Join them with `tar --concatenate`, or add them one by one.")
        before = chunk[-tarfile.BLOCKSIZE :]


def _headers_in(data: bytes) -> Iterator[int]:
    """Where a header may begin: at the first block that is not blank, and wherever the name of the form stands."""
    blank = len(data) - len(data.lstrip(b"\0"))
    if blank < len(data):
        yield blank // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
    at = data.find(_FORM, _FORM_AT)
    while at >= 0:
        yield at - _FORM_AT
        at = data.find(_FORM, at + 1)


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, encoding: str | None) -> Entry:
    name = tar_name(member.name, encoding)
    if member.size < 0:
        raise ArchiveRejected(f"{name!r} has a size below 0", hint="Make the archive again.")
    if member.type in {_FOLDERS_LISTED, _GOES_ON}:
        detail = f"the archive is an incremental or a multi-volume one ({name!r})"
        raise ArchiveRejected(detail, hint="Make it again without --listed-incremental and --multi-volume.")
    if member.isdir() or (member.isreg() and not member.size and name.endswith("\\")):
        return Entry(name)
    if member.islnk():
        return Entry(name, same_as=tar_name(member.linkname, encoding))
    # None for what is no file.
    content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if content is None:
        raise no_file(name)
    return Entry(name, content)
