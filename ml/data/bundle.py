"""Reading a dataset's files by position: from one tar that holds them all, or from a folder."""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from ml.data.manifest import Item, Manifest
from ml.errors import DatasetUnusable

OnProgress = Callable[[int, int], None]

UNREADABLE = (tarfile.TarError, OSError, EOFError)
"""What reading a broken tar raises."""


class Place(NamedTuple):
    """Where a file lies in a bundle, in bytes."""

    offset: int
    size: int


class ImageSource(Protocol):
    """The bytes of a manifest's items, by the item's position."""

    def read(self, index: int) -> bytes:
        """The file's bytes, the same that were scanned."""
        ...

    def prepare(self) -> None:
        """Have all at hand that the reads need, before room is made for what will be built of them."""
        ...


class Folder:
    """The items lie in a folder."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._items = manifest.items

    def read(self, index: int) -> bytes:
        """The file's bytes; safe from several threads.

        Raises:
            DatasetUnusable: the file is gone or is not the one that was scanned.
        """
        item = self._items[index]
        try:
            data = (self._folder / item.path).read_bytes()
        except OSError as error:
            detail = f"{item.path} cannot be read any more: {error.strerror}"
            raise DatasetUnusable(detail, hint="Import the dataset again.") from error
        return _verified(data, item)

    def prepare(self) -> None:
        """It lies there already."""

    def close(self) -> None:
        """Nothing is held open."""


class Bundle:
    """The items lie one after the other in an uncompressed tar, read by offset."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Open the tar and find its members.

        Raises:
            DatasetUnusable: the tar is broken or lacks an item.
        """
        self._items = manifest.items
        self._file = -1
        try:
            # Opened once: the path may be another file's, or nobody's, a moment later.
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._offsets = _offsets(self._file, manifest)
        except UNREADABLE as error:
            self.close()
            raise DatasetUnusable(f"the dataset's bundle cannot be read: {error}", hint=_AGAIN) from error
        except DatasetUnusable:
            self.close()
            raise

    def read(self, index: int) -> bytes:
        """The file's bytes; safe from several threads.

        Raises:
            DatasetUnusable: the tar no longer holds what was scanned.
        """
        item = self._items[index]
        return _verified(os.pread(self._file, item.bytes, self._offsets[index]), item)

    def prepare(self) -> None:
        """It is open already."""

    def close(self) -> None:
        """Close the tar; closing twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def write_bundle(folder: Path, manifest: Manifest, out: Path, *, on_progress: OnProgress | None = None) -> None:
    """Write a manifest's items into one uncompressed tar, atomically; equal manifests give equal bytes.

    Args:
        folder: where the items lie.
        manifest: what was found there.
        out: the tar.
        on_progress: called with items written and items in all; what it raises ends the writing.

    Raises:
        DatasetUnusable: a file changed or vanished since it was scanned; nothing is left behind.
    """
    pack_bundle(Folder(folder, manifest), manifest, out, on_progress=on_progress)


def pack_bundle(source: ImageSource, manifest: Manifest, out: Path, *, on_progress: OnProgress | None = None) -> None:
    """As :func:`write_bundle`, of items that lie anywhere."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as scratch:
        part = Path(scratch) / out.name
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            for index, item in enumerate(manifest.items):
                member = tarfile.TarInfo(item.path)
                member.size = item.bytes
                tar.addfile(member, io.BytesIO(source.read(index)))
                if on_progress is not None:
                    on_progress(index + 1, len(manifest.items))
        part.replace(out)


def places_in(bundle: BinaryIO) -> dict[str, Place]:
    """Where each file of a bundle lies, by its path in the dataset.

    Raises:
        TarError, OSError, EOFError: it is no bundle (``UNREADABLE``).
    """
    with tarfile.open(fileobj=bundle, mode="r:") as tar:
        return {member.name: Place(member.offset_data, member.size) for member in tar if member.isreg()}


def is_of(item: Item, data: bytes) -> bool:
    """Whether these bytes are those that were scanned."""
    return hashlib.sha256(data).hexdigest() == item.sha256


def _offsets(bundle: int, manifest: Manifest) -> list[int]:
    with os.fdopen(bundle, "rb", closefd=False) as file:
        places = places_in(file)
    for item in manifest.items:
        if item.path not in places or places[item.path].size != item.bytes:
            raise DatasetUnusable(f"the dataset's bundle does not hold {item.path} as it was scanned", hint=_AGAIN)
    return [places[item.path].offset for item in manifest.items]


def _verified(data: bytes, item: Item) -> bytes:
    if not is_of(item, data):
        raise DatasetUnusable(f"{item.path} is not the file that was scanned", hint=_AGAIN)
    return data


_AGAIN = "Import the dataset again."
