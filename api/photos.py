"""The original pictures of a dataset, read from its bundle in the artifact store."""

import hashlib
import os
import tarfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ml.cache_room import bundle_copy, make_room, note_opened
from ml.manifest import Manifest
from store.artifacts import ArtifactStore
from store.errors import ArtifactMissing, NotFound
from store.keys import bundle_key, manifest_key

MAX_OPEN = 4
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}

_AGAIN = "Import the dataset again."


@dataclass(frozen=True)
class Photo:
    """A picture's bytes as they were added."""

    data: bytes
    media_type: str


class OpenBundle:
    """A bundle's file and where each item lies in it."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """From an item's path to offset and size in bytes.

        Raises:
            ArtifactMissing: the file is no bundle.
        """
        try:
            with tarfile.open(self.path, "r:") as tar:
                return {member.name: (member.offset_data, member.size) for member in tar}
        except (tarfile.TarError, OSError, EOFError) as error:
            detail = f"the bundle of dataset {self.manifest.name!r} cannot be read: {error}"
            raise ArtifactMissing(detail, _AGAIN) from error

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
            raise ArtifactMissing(f"the bundle of dataset {self.manifest.name!r} lacks item {item}", _AGAIN)
        offset, size = self.places[entry.path]
        # A file of its own for each read: the shelf may drop a bundle while another thread reads it.
        try:
            with self.path.open("rb") as file:
                data = os.pread(file.fileno(), size, offset)
        except OSError as error:
            raise ArtifactMissing(f"the bundle of dataset {self.manifest.name!r} is gone", _AGAIN) from error
        return Photo(data, MEDIA_TYPES.get(entry.format, "application/octet-stream"))

    def read(self, index: int) -> bytes:
        """Item ``index``'s bytes, checked to be those that were imported.

        Raises:
            ArtifactMissing: the bundle lacks it, or holds other bytes.
        """
        data = self.photo(index).data
        entry = self.manifest.items[index]
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ArtifactMissing(f"the bundle's {entry.path} is not the file that was imported", _AGAIN)
        return data


class PhotoShelf:
    """The bundles looked into last, by revision. Paths come from manifests, never from a request."""

    def __init__(self, artifacts: ArtifactStore, cache: Path, cache_bytes: int | None = None) -> None:
        self._artifacts = artifacts
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._open: OrderedDict[str, OpenBundle] = OrderedDict()
        self._lock = threading.Lock()

    def photo(self, revision: str, item: int) -> Photo:
        """Item ``item`` of a dataset's revision.

        Raises:
            NotFound: no such item.
            ArtifactMissing: the dataset's files are gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        return self.bundle(revision).photo(item)

    def manifest(self, revision: str) -> Manifest:
        """A revision's manifest as it is stored now: importing again may have added to it.

        Raises:
            ArtifactMissing: it is gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        return Manifest.model_validate_json(self._artifacts.get_bytes(manifest_key(revision)))

    def bundle(self, revision: str) -> OpenBundle:
        """A revision's files, opened or fetched where they are not yet.

        Raises:
            ArtifactMissing: the dataset's files are gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        with self._lock:
            found = self._open.get(revision)
            # A copy in the cache folder may have made room for another.
            if found is None or not found.path.is_file():
                found = self._opened(revision)
                self._open[revision] = found
            self._open.move_to_end(revision)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return found

    def _opened(self, revision: str) -> OpenBundle:
        manifest = self.manifest(revision)
        key = bundle_key(revision)
        path = self._artifacts.open_local(key)
        if path is None:
            path = bundle_copy(self._cache, revision)
            if not path.exists():
                make_room(self._cache, self._artifacts.size_of(key), self._cache_bytes)
            self._artifacts.fetch(key, path)
            note_opened(path)
        bundle = OpenBundle(path, manifest)
        if not bundle.places:
            raise ArtifactMissing(f"the bundle of dataset {manifest.name!r} is empty", _AGAIN)
        return bundle
