"""A folder or an archive as the form of an upload, made while it is sent: it needs no room on this machine."""

import os
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pedigree.errors import PedigreeError

CHUNK = 1024 * 1024
MOST_LABELS_BYTES = 64 * CHUNK
BLOCK = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK)

OnProgress = Callable[[int, int], None]
"""Called with bytes sent and bytes in all."""


@dataclass(frozen=True)
class Form:
    """A body in pieces, and the headers that say how long it is."""

    headers: Mapping[str, str]
    body: Iterator[bytes]


@dataclass(frozen=True)
class Entry:
    """One file of a tar: its header as bytes, where its content is, and how long that was when we looked."""

    header: bytes
    path: Path
    size: int

    @property
    def padding(self) -> bytes:
        """Zeros that fill the last block."""
        return bytes(-self.size % BLOCK)


def upload_form(
    source: Path, fields: Mapping[str, str], *, labels: Path | None = None, on_progress: OnProgress | None = None
) -> Form:
    """The form with the fields, a list of labels where there is one, and the folder, as a tar, or the archive file.

    Raises:
        PedigreeError: there is nothing to send, or it cannot be read.
    """
    source = source.expanduser()
    name, size, content = _folder(source) if source.is_dir() else _archive(source)
    boundary = secrets.token_hex(16)
    head, tail = _around(boundary, fields, name, None if labels is None else _whole(labels))
    length = str(len(head) + size + len(tail))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": length}
    told = content if on_progress is None else _told(content, size, on_progress)
    return Form(headers, _chained(head, told, tail))


def links_left_out(folder: Path) -> list[Path]:
    """The links below a folder that lead to no file, sorted: to a folder, which might lead in a circle, or nowhere."""
    found = (Path(root) / name for root, folders, files in _walk(folder) for name in (*folders, *files))
    return sorted(path for path in found if path.is_symlink() and not path.is_file())


def _folder(folder: Path) -> tuple[str, int, Iterator[bytes]]:
    entries = tar_entries(folder)
    return f"{folder.resolve().name}.tar", tar_size(entries), tar_bytes(entries)


def _archive(path: Path) -> tuple[str, int, Iterator[bytes]]:
    if not path.is_file():
        hint = "Give a folder or an archive that is on this machine."
        raise PedigreeError(f"{path} is neither a folder nor a file", code="unreadable", hint=hint)
    size = path.stat().st_size
    return path.name, size, file_bytes(path, size)


def tar_entries(folder: Path) -> list[Entry]:
    """The files below a folder, sorted by name; hidden ones and what is no file are left out.

    A link to a file is sent as the file, wherever that lies: a folder of links is a usual way to choose among images,
    and what is no image never becomes part of a dataset.

    Raises:
        PedigreeError: there is none, or one cannot be looked at.
    """
    try:
        entries = [_entry(folder, path) for path in sorted(_files_below(folder))]
    except OSError as error:
        raise _unreadable(Path(error.filename or folder), error) from None
    if not entries:
        raise _nothing_in(folder)
    return entries


def tar_size(entries: list[Entry]) -> int:
    """Bytes of the whole tar."""
    return sum(len(entry.header) + entry.size + len(entry.padding) for entry in entries) + len(END_OF_TAR)


def tar_bytes(entries: list[Entry]) -> Iterator[bytes]:
    """The tar, a chunk at a time.

    Raises:
        PedigreeError: a file has changed since it was listed.
    """
    for entry in entries:
        yield entry.header
        yield from file_bytes(entry.path, entry.size)
        yield entry.padding
    yield END_OF_TAR


def file_bytes(path: Path, size: int) -> Iterator[bytes]:
    """A file's content, which must be ``size`` bytes long.

    Raises:
        PedigreeError: it is not, or it cannot be read.
    """
    left = size
    try:
        with path.open("rb") as file:
            while left >= 0 and (chunk := file.read(CHUNK)):
                left -= len(chunk)
                if left >= 0:
                    yield chunk
    except OSError as error:
        raise _unreadable(path, error) from None
    if left:
        raise PedigreeError(f"{path} changed while it was sent", code="changed", hint="Send it again.")


def _nothing_in(folder: Path) -> PedigreeError:
    if links_left_out(folder):
        detail = f"{folder} has no files in it but links to folders or to nothing"
        return PedigreeError(detail, code="empty_folder", hint="Give a folder of pictures, or an archive.")
    hidden = sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
    if hidden:
        detail = f"{folder} has no files in it but hidden ones ({', '.join(hidden[:3])})"
        hint = "Give the files and folders names that do not begin with a dot."
        return PedigreeError(detail, code="only_hidden", hint=hint)
    hint = "Give a folder of pictures, or an archive."
    return PedigreeError(f"{folder} has no files in it", code="empty_folder", hint=hint)


def _whole(labels: Path) -> bytes:
    """A list of labels, which is small.

    Raises:
        PedigreeError: it is not, or cannot be read.
    """
    try:
        size = labels.stat().st_size
        if size > MOST_LABELS_BYTES:
            detail = f"{labels} has {size} bytes, at most {MOST_LABELS_BYTES} are read"
            raise PedigreeError(detail, code="labels_too_large")
        return labels.read_bytes()
    except OSError as error:
        raise _unreadable(labels, error) from None


def _files_below(folder: Path) -> Iterator[Path]:
    for root, _, files in _walk(folder):
        for name in files:
            path = Path(root) / name
            if path.is_file():
                yield path


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As ``os.walk``, without what is hidden."""
    for root, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield root, folders, [name for name in files if not name.startswith(".")]


def _raise(error: OSError) -> None:
    raise error


def _entry(folder: Path, path: Path) -> Entry:
    about = tarfile.TarInfo(path.relative_to(folder).as_posix())
    about.size = path.stat().st_size
    return Entry(about.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), path, about.size)


def _around(boundary: str, fields: Mapping[str, str], filename: str, labels: bytes | None) -> tuple[bytes, bytes]:
    """What stands before the archive's bytes in the form, and after them."""
    before = b""
    if labels is not None:
        about = 'Content-Disposition: form-data; name="labels"; filename="labels.csv"'
        before = f"--{boundary}\r\n{about}\r\nContent-Type: text/csv\r\n\r\n".encode() + labels + b"\r\n"
    lines = []
    for name, value in fields.items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    sendable = filename.encode("utf-8", "replace").decode()
    quoted = "".join("_" if sign in '\\"\r\n' else sign for sign in sendable)
    lines += [f"--{boundary}", f'Content-Disposition: form-data; name="archive"; filename="{quoted}"']
    lines += ["Content-Type: application/octet-stream", "", ""]
    return before + "\r\n".join(lines).encode(), f"\r\n--{boundary}--\r\n".encode()


def _chained(head: bytes, content: Iterator[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from content
    yield tail


def _told(content: Iterator[bytes], size: int, on_progress: OnProgress) -> Iterator[bytes]:
    sent = 0
    for chunk in content:
        yield chunk
        sent += len(chunk)
        on_progress(sent, size)


def _unreadable(path: Path, error: OSError) -> PedigreeError:
    return PedigreeError(f"{path} cannot be read: {error.strerror}", code="unreadable")
