"""Sending a folder or an archive: packed while it is sent, so that it needs no room on this machine."""

import os
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.client import Client, Json, json_of
from cli.errors import CommandError

CHUNK = 1024 * 1024
MOST_LABELS_BYTES = 64 * CHUNK
BLOCK = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK)

OnProgress = Callable[[int, int], None]
"""Called with bytes sent and bytes in all."""


@dataclass(frozen=True)
class Entry:
    """One file of a tar: its header as bytes, where its content is, and how long that was when we looked."""

    header: bytes
    path: Path
    size: int

    @property
    def padding(self) -> int:
        """Zeros that fill the last block."""
        return -self.size % BLOCK


def tar_entries(folder: Path) -> list[Entry]:
    """The files of a folder, sorted by name; hidden ones and what is no file are left out.

    A link to a file is sent as the file, wherever that lies: a folder of links is a usual way to choose among images,
    and what is no image never becomes part of a dataset.

    Raises:
        CommandError: there is none, or one cannot be looked at.
    """
    try:
        paths = sorted(path for path in _files_below(folder))
        entries = [_entry(folder, path) for path in paths]
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from None
    if not entries:
        links = "" if not links_left_out(folder) else " but links to folders or to nothing"
        hidden = sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
        if hidden and not links:
            hint = "Give the files and folders names that do not begin with a dot."
            raise CommandError(f"{folder} has no files in it but hidden ones ({', '.join(hidden[:3])}).", hint)
        raise CommandError(f"{folder} has no files in it{links}.")
    return entries


def links_left_out(folder: Path) -> list[Path]:
    """The links below a folder that lead to no file, sorted: to a folder, which might lead in a circle, or nowhere."""
    found = (Path(root) / name for root, folders, files in _walk(folder) for name in (*folders, *files))
    return sorted(path for path in found if path.is_symlink() and not path.is_file())


def tar_size(entries: list[Entry]) -> int:
    """Bytes of the whole tar."""
    return sum(len(entry.header) + entry.size + entry.padding for entry in entries) + len(END_OF_TAR)


def tar_bytes(entries: list[Entry]) -> Iterator[bytes]:
    """The tar, a chunk at a time.

    Raises:
        CommandError: a file has changed since it was listed.
    """
    for entry in entries:
        yield entry.header
        yield from file_bytes(entry.path, entry.size)
        yield bytes(entry.padding)
    yield END_OF_TAR


def file_bytes(path: Path, size: int) -> Iterator[bytes]:
    """A file's content, which must be ``size`` bytes long.

    Raises:
        CommandError: it is not, or it cannot be read.
    """
    left = size
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    if left:
        raise CommandError(f"{path} changed while it was sent.", "Send it again.")


def send_archive(
    client: Client,
    source: Path,
    fields: Mapping[str, str],
    on_progress: OnProgress,
    *,
    labels: Path | None = None,
    to: str = "/datasets",
) -> Json:
    """Post a folder (as a tar) or an archive file with the form's other fields; returns the job that it is for.

    Raises:
        CommandError: the source cannot be read or the service refuses.
    """
    if source.is_dir():
        entries = tar_entries(source)
        name, size, content = f"{source.resolve().name}.tar", tar_size(entries), tar_bytes(entries)
    elif source.is_file():
        name, size = source.name, source.stat().st_size
        content = file_bytes(source, size)
    else:
        raise CommandError(f"{source} is neither a folder nor a file.")
    boundary = secrets.token_hex(16)
    head, tail = _form_around(boundary, fields, name, None if labels is None else _whole(labels))
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    body = _body(head, content, tail, on_progress, size)
    timeout = httpx.Timeout(600.0, connect=5.0)  # the service takes in the whole archive before it answers
    answer: Json = json_of(client.call("POST", to, content=body, headers=headers, timeout=timeout))
    return answer


def _body(head: bytes, content: Iterator[bytes], tail: bytes, on_progress: OnProgress, size: int) -> Iterator[bytes]:
    yield head
    sent = 0
    for chunk in content:
        yield chunk
        sent += len(chunk)
        on_progress(sent, size)
    yield tail


def _whole(labels: Path) -> bytes:
    """A list of labels, which is small.

    Raises:
        CommandError: it is not, or cannot be read.
    """
    try:
        size = labels.stat().st_size
        if size > MOST_LABELS_BYTES:
            raise CommandError(f"{labels} has {size} bytes, at most {MOST_LABELS_BYTES} are read.")
        return labels.read_bytes()
    except OSError as error:
        raise CommandError(f"{labels} cannot be read: {error.strerror}.") from None


def _form_around(boundary: str, fields: Mapping[str, str], filename: str, labels: bytes | None) -> tuple[bytes, bytes]:
    """What stands before the archive's bytes in the form, and after them."""
    before = b""
    if labels is not None:
        about = 'Content-Disposition: form-data; name="labels"; filename="labels.csv"'
        before = f"--{boundary}\r\n{about}\r\nContent-Type: text/csv\r\n\r\n".encode() + labels + b"\r\n"
    lines = []
    for name, value in fields.items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    sendable = filename.encode("utf-8", "replace").decode()
    quoted = sendable.replace("\\", "_").replace('"', "_").replace("\n", "_").replace("\r", "_")
    lines += [f"--{boundary}", f'Content-Disposition: form-data; name="archive"; filename="{quoted}"']
    lines += ["Content-Type: application/octet-stream", "", ""]
    return before + "\r\n".join(lines).encode(), f"\r\n--{boundary}--\r\n".encode()


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
    info = tarfile.TarInfo(path.relative_to(folder).as_posix())
    info.size = path.stat().st_size
    header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return Entry(header, path, info.size)
