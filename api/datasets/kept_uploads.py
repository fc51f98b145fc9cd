"""Uploads that wait for their import: together they have a limit."""

import threading
from collections.abc import Mapping
from pathlib import Path

from store.artifacts import ArtifactStore
from store.errors import NoRoom
from store.keys import UPLOADS, new_upload_key
from store.settings import Settings

_HINT = "Wait until imports have ended, or raise PEDIGREE_MAX_STORED_UPLOAD_BYTES."


class _Arriving:
    """Bytes of uploads that are being stored by this process, which the store does not list yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def admit(self, size: int, artifacts: ArtifactStore, most: int) -> None:
        """Count an upload in.

        Raises:
            NoRoom: with it there would be more than ``most`` bytes.
        """
        with self._lock:
            stored = sum(listed.bytes for listed in artifacts.keys_below(UPLOADS)) + self._bytes
            if stored + size > most:
                detail = f"uploads of {stored} bytes wait for their import, and with {size} more they are over {most}"
                raise NoRoom(detail, _HINT)
            self._bytes += size

    def leave(self, size: int) -> None:
        """Count it out again: the store lists it, or it is not to be."""
        with self._lock:
            self._bytes -= size


_arriving = _Arriving()


def keep_uploads(artifacts: ArtifactStore, settings: Settings, files: Mapping[str, Path]) -> dict[str, str]:
    """Put files where any worker can fetch them; their keys, by the names given here.

    Raises:
        NoRoom: what waits already leaves no room for them, or the store is full.
        ServiceUnavailable: the store does not answer.
    """
    size = sum(path.stat().st_size for path in files.values())
    _arriving.admit(size, artifacts, settings.max_stored_upload_bytes)
    try:
        keys = {name: new_upload_key() for name in files}
        for name, path in files.items():
            artifacts.put_file(keys[name], path)
    finally:
        _arriving.leave(size)
    return keys
