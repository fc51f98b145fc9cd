"""A folder or an archive as the form of an upload, made while it is sent: it needs no room on this machine."""

import os
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pedigree.errors import PedigreeError

CHUNK = 1024 * 1024
BLOCK = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Form:
    """A body in pieces, and the headers that say how long it is."""

    headers: Mapping[str, str]
    body: Iterator[bytes]


@dataclass(frozen=True)
class Entry:
    """One file of a tar."""

    header: bytes
    path: Path
    size: int

    @property
    def padding(self) -> bytes:
        """Zeros that fill the last block."""
        return bytes(-self.size % BLOCK)


def upload_form(source: Path, fields: Mapping[str, str]) -> Form:
    """The form with the fields and the folder, as a tar, or the archive file.

    Raises:
        PedigreeError: there is nothing to send, or it cannot be read.
    """
    source = source.expanduser()
    try:
        if source.is_dir():
            entries = _entries(source)
            name, size, content = f"{source.resolve().name}.tar", _tar_size(entries), _tar(entries)
        else:
            name, size, content = source.name, source.stat().st_size, _file(source, source.stat().st_size)
    except OSError as error:
        raise _unreadable(error.filename or str(source), error) from None
    boundary = secrets.token_hex(16)
    head, tail = _around(boundary, fields, name)
    length = str(len(head) + size + len(tail))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": length}
    return Form(headers, _chained(head, content, tail))


def _entries(folder: Path) -> list[Entry]:
    """The files below a folder, sorted; without hidden ones and links that lead to no file."""
    entries = [_entry(folder, path) for path in sorted(_files(folder))]
    if not entries:
        hint = "Give a folder of pictures, or an archive."
        raise PedigreeError(f"{folder} has no files in it", code="empty_folder", hint=hint)
    return entries


def _files(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for root, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root) / name
            if not name.startswith(".") and path.is_file():
                yield path


def _entry(folder: Path, path: Path) -> Entry:
    about = tarfile.TarInfo(path.relative_to(folder).as_posix())
    about.size = path.stat().st_size
    return Entry(about.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), path, about.size)


def _tar_size(entries: list[Entry]) -> int:
    return sum(len(entry.header) + entry.size + len(entry.padding) for entry in entries) + len(END_OF_TAR)


def _tar(entries: list[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield entry.header
        yield from _file(entry.path, entry.size)
        yield entry.padding
    yield END_OF_TAR


def _file(path: Path, size: int) -> Iterator[bytes]:
    """A file's content, which has to be as long as it was said to be."""
    left = size
    try:
        with path.open("rb") as file:
            while left >= 0 and (chunk := file.read(CHUNK)):
                left -= len(chunk)
                if left >= 0:
                    yield chunk
    except OSError as error:
        raise _unreadable(str(path), error) from None
    if left:
        raise PedigreeError(f"{path} changed while it was sent", code="changed", hint="Send it again.")


def _around(boundary: str, fields: Mapping[str, str], filename: str) -> tuple[bytes, bytes]:
    lines = []
    for name, value in fields.items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    sendable = filename.encode("utf-8", "replace").decode()
    quoted = "".join("_" if sign in '\\"\r\n' else sign for sign in sendable)
    lines += [f"--{boundary}", f'Content-Disposition: form-data; name="archive"; filename="{quoted}"']
    lines += ["Content-Type: application/octet-stream", "", ""]
    return "\r\n".join(lines).encode(), f"\r\n--{boundary}--\r\n".encode()


def _chained(head: bytes, content: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from content
    yield tail


def _unreadable(name: str, error: OSError) -> PedigreeError:
    hint = "Give a folder or an archive that is on this machine."
    return PedigreeError(f"{name} cannot be read: {error.strerror}", code="unreadable", hint=hint)
