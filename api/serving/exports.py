"""The exports of registered versions: made once, kept, and one at a time."""

import hashlib
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from api.serving.export_process import ExportProcess, ExportRequest
from ml.decode.images import Limits
from ml.serve.export.forms import EXPORT_VERSION, Form
from store.cache_names import EXPORT_WORK, export_copies, export_copy, exports_folder, kept_export
from store.errors import TooBusy

logger = logging.getLogger(__name__)

MOST_WAITING = 4
MOST_KEPT = 8
"""Archives in the cache folder: before another is kept, those go that were asked for least recently."""


@dataclass(frozen=True)
class ExportOrder:
    """An export of a registered version.

    Args:
        version: its number.
        run: the run that it was.
        form: the format.
        sha256: hashes of the run's model files; they and all of the above say which export it is.
        model: brings the model's files, and returns their folder.
        photos: brings photos that the model was validated on.
    """

    version: int
    run: int
    form: Form
    sha256: tuple[str, ...]
    model: Callable[[], Path]
    photos: Callable[[], Sequence[bytes]]

    @property
    def key(self) -> str:
        """The same for the same bytes; several databases may share a cache, and each counts from 1."""
        return export_key(self.version, self.run, self.form, self.sha256)


def export_key(version: int, run: int, form: Form, sha256: Sequence[str]) -> str:
    """As :attr:`ExportOrder.key`."""
    told = [str(EXPORT_VERSION), form, str(version), str(run), *sha256]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


@dataclass
class Making:
    """An export that is being made, or waits for another."""

    stage: str = "waiting"
    began: float = field(default_factory=monotonic)
    archive: "Future[Path]" = field(default_factory=Future)

    def tell(self, stage: str) -> None:
        """Note how far it is: waiting, fetch, load, convert, check or pack."""
        self.stage = stage

    @property
    def seconds(self) -> float:
        """Since it was asked for."""
        return monotonic() - self.began


class Exports:
    """Archives by what they hold. Every method may be called from any thread."""

    def __init__(self, cache: Path, limits: Limits) -> None:
        self._cache, self._limits = cache, limits
        self._process = ExportProcess()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")
        self._table: dict[str, Making] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End what is being made."""
        self._process.close()
        self._thread.shutdown(cancel_futures=True)

    def kept(self, wanted: ExportOrder) -> Path | None:
        """The archive where it has been made already."""
        return kept_export(self._cache, wanted.key)

    def make(self, wanted: ExportOrder) -> Making:
        """Have it made, or join who waits for it already; one that failed is told of once.

        Raises:
            TooBusy: too many wait already.
        """
        with self._lock:
            making = self._table.get(wanted.key)
            if making is None:
                if sum(not one.archive.done() for one in self._table.values()) >= MOST_WAITING:
                    detail = f"{MOST_WAITING} exports are being made or waiting already"
                    raise TooBusy(detail, "Try again in a minute.", headers={"Retry-After": "60"})
                making = self._table[wanted.key] = Making()
                self._thread.submit(self._make, wanted, making)
            elif making.archive.done():
                del self._table[wanted.key]
            return making

    def forget(self, wanted: ExportOrder, making: Making) -> None:
        """Whoever waited has been told that it failed: the next one asks anew."""
        with self._lock:
            if self._table.get(wanted.key) is making:
                del self._table[wanted.key]

    def _make(self, wanted: ExportOrder, making: Making) -> None:
        try:
            archive = self._made(wanted, making)
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told
            making.archive.set_exception(error)
            return
        with self._lock:
            self._table.pop(wanted.key, None)
        making.archive.set_result(archive)

    def _made(self, wanted: ExportOrder, making: Making) -> Path:
        found = self.kept(wanted)
        if found is not None:
            return found
        making.stage = "fetch"
        folder = exports_folder(self._cache)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=EXPORT_WORK, dir=folder) as name:
            archive = self._process.make(self._request(wanted, Path(name)), _empty(Path(name, "work")), making.tell)
            return self._keep(wanted, archive)

    def _request(self, wanted: ExportOrder, work: Path) -> ExportRequest:
        photos = []
        for number, data in enumerate(wanted.photos()):
            photos.append(work / f"photo-{number}")
            photos[-1].write_bytes(data)
        return ExportRequest(wanted.model(), wanted.form, wanted.version, wanted.run, tuple(photos), self._limits)

    def _keep(self, wanted: ExportOrder, archive: Path) -> Path:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        oldest_first = sorted(export_copies(self._cache), key=lambda path: path.stat().st_atime)
        for path in oldest_first[: max(0, len(oldest_first) - MOST_KEPT + 1)]:
            path.unlink(missing_ok=True)
        into = export_copy(self._cache, wanted.key, digest)
        shutil.move(archive, into)
        logger.info("version %d is exported as %s", wanted.version, wanted.form)
        return into


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder
