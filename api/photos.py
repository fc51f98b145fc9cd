"""The original pictures of a dataset, read from its bundle in the artifact store."""

import os
import tarfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

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
        """From an item's path to offset and size in bytes."""
        with tarfile.open(self.path, "r:") as tar:
            return {member.name: (member.offset_data, member.size) for member in tar}

    def photo(self, item: int) -> Photo:
        """Item ``item`` of the manifest.

        Raises:
            NotFound: the manifest has no such item.
            ArtifactMissing: the bundle lacks it.
        """
        if not 0 <= item < len(self.manifest.items):
            raise NotFound(f"the dataset has no item {item}", f"Items are 0 to {len(self.manifest.items) - 1}.")
        entry = self.manifest.items[item]
        if entry.path not in self.places:
            raise ArtifactMissing(f"the bundle of dataset {self.manifest.name!r} lacks item {item}")
        offset, size = self.places[entry.path]
        # A file of its own for each read: the shelf may drop a bundle while another thread reads it.
        with self.path.open("rb") as file:
            data = os.pread(file.fileno(), size, offset)
        return Photo(data, MEDIA_TYPES.get(entry.format, "application/octet-stream"))


class PhotoShelf:
    """The bundles looked into last, by revision. Paths come from manifests, never from a request."""

    def __init__(self, artifacts: ArtifactStore, cache: Path) -> None:
        self._artifacts = artifacts
        self._cache = cache
        self._open: OrderedDict[str, OpenBundle] = OrderedDict()
        self._lock = threading.Lock()

    def photo(self, revision: str, item: int) -> Photo:
        """Item ``item`` of a dataset's revision.

        Raises:
            NotFound: no such item.
            ArtifactMissing: the dataset's files are gone.
            ServiceUnavailable: the artifact store does not answer.
        """
        return self._bundle(revision).photo(item)

    def _bundle(self, revision: str) -> OpenBundle:
        with self._lock:
            found = self._open.get(revision)
            if found is None:
                found = self._opened(revision)
                self._open[revision] = found
            self._open.move_to_end(revision)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return found

    def _opened(self, revision: str) -> OpenBundle:
        manifest = Manifest.model_validate_json(self._artifacts.get_bytes(manifest_key(revision)))
        key = bundle_key(revision)
        path = self._artifacts.open_local(key)
        if path is None:
            path = self._artifacts.fetch(key, self._cache / "datasets" / revision / "images.tar")
        bundle = OpenBundle(path, manifest)
        if not bundle.places:
            raise ArtifactMissing(f"the bundle of dataset {manifest.name!r} is empty")
        return bundle
