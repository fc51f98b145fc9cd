"""The original images of a dataset, read from its bundle in the artifact store."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from ml.cache_names import bundle_copy
from ml.data.bundle import UNREADABLE, Place, is_of, places_in
from ml.data.cache_room import make_room, note_opened
from ml.data.manifest import Manifest
from store.artifacts import ArtifactStore
from store.errors import ArtifactMissing, NotFound
from store.keys import bundle_key, manifest_key

MAX_OPEN = 4
MOST_PARSED = 2
"""Manifests that are kept as objects, by their content."""
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
    "JPEG2000": "image/jp2",
}

_IMPORT_AGAIN = "Import the dataset again."
_ASK_AGAIN = "Send the request again: it is fetched again."


@dataclass(frozen=True)
class Photo:
    """An image's bytes as they were added."""

    data: bytes
    media_type: str


class OpenBundle:
    """A bundle's file and where each item lies in it.

    A copy in the cache folder that turns out to be damaged is removed, so that it is fetched anew. Where the one that
    is fetched in its place (``is_second``) is damaged too, the stored bundle is.
    """

    def __init__(self, path: Path, manifest: Manifest, *, is_copy: bool = False, is_second: bool = False) -> None:
        self.path = path
        self.manifest = manifest
        self.is_copy = is_copy
        self.is_second = is_second
        self.is_damaged = False

    @cached_property
    def places(self) -> dict[str, Place]:
        """From an item's path to where it lies.

        Raises:
            ArtifactMissing: the file is no bundle.
        """
        try:
            with self.path.open("rb") as file:
                return places_in(file)
        except FileNotFoundError as error:
            raise self.gone() from error
        except UNREADABLE as error:
            raise self.unusable(f"the bundle of dataset {self.manifest.name!r} cannot be read: {error}") from error

    def photo(self, item: int) -> Photo:
        """Item ``item`` of the manifest.

        Raises:
            NotFound: the manifest has no such item.
            ArtifactMissing: the bundle lacks it, or is gone itself.
        """
        if not 0 <= item < len(self.manifest.items):
            count = len(self.manifest.items)
            raise NotFound(
                f"the dataset has {count} items, and no item {item}", f"Give a number from 0 to {count - 1}."
            )
        entry = self.manifest.items[item]
        if entry.path not in self.places:
            raise self.unusable(f"the bundle of dataset {self.manifest.name!r} does not hold {entry.path}, item {item}")
        offset, size = self.places[entry.path]
        # A file of its own for each read: the shelf may drop a bundle while another thread reads it.
        try:
            with self.path.open("rb") as file:
                data = os.pread(file.fileno(), size, offset)
        except FileNotFoundError as error:
            raise self.gone() from error
        except OSError as error:
            raise self.unusable(f"the bundle of dataset {self.manifest.name!r} cannot be read: {error}") from error
        if len(data) < size:
            raise self.unusable(f"the bundle of dataset {self.manifest.name!r} ends within {entry.path}, item {item}")
        return Photo(data, MEDIA_TYPES.get(entry.format, "application/octet-stream"))

    def read(self, index: int) -> bytes:
        """Item ``index``'s bytes, checked to be those that were imported.

        Raises:
            ArtifactMissing: the bundle lacks it, or holds other bytes.
        """
        data = self.photo(index).data
        entry = self.manifest.items[index]
        if not is_of(entry, data):
            raise self.unusable(f"the bundle's {entry.path} is not the file that was imported")
        return data

    def prepare(self) -> None:
        """It is there already."""

    def gone(self) -> ArtifactMissing:
        """The error for a file that is not there: a copy may have made room for another at any time."""
        detail = f"the bundle of dataset {self.manifest.name!r} is gone"
        return ArtifactMissing(detail, _ASK_AGAIN if self.is_copy else _IMPORT_AGAIN)

    def unusable(self, detail: str) -> ArtifactMissing:
        """The error for a file that is not the bundle that was imported; of a copy, the store may still have it."""
        self.is_damaged = True
        if not self.is_copy:
            return ArtifactMissing(detail, _IMPORT_AGAIN)
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return ArtifactMissing(detail, f"Remove {self.path}, which the service itself may not.")
        return ArtifactMissing(detail, _IMPORT_AGAIN if self.is_second else _ASK_AGAIN)


class PhotoShelf:
    """The bundles looked into last, by revision. Paths come from manifests, never from a request."""

    def __init__(self, artifacts: ArtifactStore, cache: Path, cache_bytes: int | None = None) -> None:
        self._artifacts = artifacts
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._open: OrderedDict[str, OpenBundle] = OrderedDict()
        self._lock = threading.Lock()
        self._parsed: OrderedDict[bytes, Manifest] = OrderedDict()
        self._reading = threading.Lock()

    def photo(self, revision: str, item: int) -> Photo:
        """Item ``item`` of a dataset's revision.

        Raises:
            NotFound: no such item.
            ArtifactMissing: the dataset's files are gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        bundle = self.bundle(revision)
        try:
            return bundle.photo(item)
        except ArtifactMissing:
            if not bundle.is_copy:
                raise
        # It made room for another between the two, or was damaged.
        return self.bundle(revision).photo(item)

    def manifest(self, revision: str) -> Manifest:
        """A revision's manifest as it is stored now: importing again may have added to it.

        Raises:
            ArtifactMissing: it is gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        content = self._artifacts.get_bytes(manifest_key(revision))
        digest = blake2b(content).digest()
        with self._reading:
            # To parse that of 7,390 photos takes 0.1 s, to see that it is the same 2 ms.
            found = self._parsed.pop(digest, None) or Manifest.model_validate_json(content)
            self._parsed[digest] = found
            while len(self._parsed) > MOST_PARSED:
                self._parsed.popitem(last=False)
        return found

    def bundle(self, revision: str) -> OpenBundle:
        """A revision's files, opened or fetched where they are not yet.

        Raises:
            ArtifactMissing: the dataset's files are gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        with self._lock:
            found = self._open.get(revision)
            # A copy in the cache folder may have made room for another.
            if found is None or found.is_damaged or not found.path.is_file():
                found = self._opened(revision, is_second=found is not None and found.is_damaged)
                self._open[revision] = found
            if found.is_copy:
                note_opened(found.path)
            self._open.move_to_end(revision)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return found

    def _opened(self, revision: str, *, is_second: bool) -> OpenBundle:
        manifest = self.manifest(revision)
        path = self._artifacts.open_local(bundle_key(revision))
        if path is not None:
            return _checked(OpenBundle(path, manifest))
        try:
            return self._fetched(revision, manifest, is_second=is_second)
        except ArtifactMissing:
            # The copy that lay there was damaged, or another process has just removed it.
            return self._fetched(revision, manifest, is_second=True)

    def _fetched(self, revision: str, manifest: Manifest, *, is_second: bool) -> OpenBundle:
        key, path = bundle_key(revision), bundle_copy(self._cache, revision)
        if not path.exists():
            make_room(self._cache, self._artifacts.size_of(key), self._cache_bytes)
        self._artifacts.fetch(key, path)
        return _checked(OpenBundle(path, manifest, is_copy=True, is_second=is_second))


def _checked(bundle: OpenBundle) -> OpenBundle:
    if not bundle.places:
        raise bundle.unusable(f"the bundle of dataset {bundle.manifest.name!r} is empty")
    return bundle
