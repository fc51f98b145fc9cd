"""A dataset's bundle that was fetched into the cache folder; a copy that was damaged there is fetched once more."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from ml.data.bundle import Bundle
from ml.data.manifest import Manifest
from ml.errors import DatasetUnusable

log = logging.getLogger(__name__)


class FetchedBundle:
    """Implements ``ml.data.bundle.ImageSource``: every item read is checked against its hash in the manifest.

    Nothing is fetched before it is asked for: a job whose pictures are presized already reads none.

    Args:
        copy: where the copy lies.
        fetch: puts it there, unless it is there.
        manifest: its items.
    """

    def __init__(self, copy: Path, fetch: Callable[[], Path], manifest: Manifest) -> None:
        self._copy, self._fetch, self._manifest = copy, fetch, manifest
        self._opening = threading.Lock()
        self._first: Bundle | None = None
        self._renewed: Bundle | None = None
        self._failed: DatasetUnusable | None = None

    def read(self, index: int) -> bytes:
        """The item's bytes; safe from several threads.

        Raises:
            DatasetUnusable: what was fetched anew is damaged too; the copy is removed.
        """
        try:
            return self._open().read(index)
        except DatasetUnusable as error:
            bundle = self._renew(error)
        try:
            return bundle.read(index)
        except DatasetUnusable:
            self._copy.unlink(missing_ok=True)
            raise

    def prepare(self) -> None:
        """Fetch it where it is not there yet, and open it: what it needs is no room for others any more.

        Raises:
            DatasetUnusable: as :meth:`read`.
        """
        try:
            self._open()
        except DatasetUnusable as error:
            self._renew(error)

    def _open(self) -> Bundle:
        with self._opening:
            if self._failed is not None:
                raise self._failed
            if self._renewed is not None:
                return self._renewed
            if self._first is None:
                self._first = Bundle(self._fetch(), self._manifest)
            return self._first

    def _renew(self, error: DatasetUnusable) -> Bundle:
        """Fetch again, once; the damaged one stays open, as other threads may be reading it."""
        with self._opening:
            if self._failed is not None:
                raise self._failed
            if self._renewed is None:
                log.warning("the copy %s is damaged and fetched again: %s", self._copy, error.detail)
                self._copy.unlink(missing_ok=True)
                try:
                    self._renewed = Bundle(self._fetch(), self._manifest)
                except DatasetUnusable as again:
                    self._failed = again
                    self._copy.unlink(missing_ok=True)
                    raise
            return self._renewed
