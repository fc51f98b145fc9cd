"""A dataset's next revision, made of one that is there: its files, and its place on record."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from ml.data.bundle import ImageSource, pack_bundle
from ml.data.manifest import Manifest
from store.db.base import Json
from store.db.datasets import current_dataset, lock_dataset
from store.db.models import Dataset
from store.errors import AppError
from worker.attempt import Attempt
from worker.dataset_record import packed_photos, record_dataset, store_dataset
from worker.stage_progress import StageProgress


class DatasetChanged(AppError):
    """Another import was faster."""

    code = "dataset_changed"
    title = "Dataset changed"


class OldAndNew:
    """The bytes of a revision's items: from the old bundle, or from files.

    Args:
        old: the old revision's items.
        manifest: what the old revision is.
        files: from path to file, of the items that the old one does not have.
        revised: what the new revision is.
    """

    def __init__(self, old: ImageSource, manifest: Manifest, files: Mapping[str, Path], revised: Manifest) -> None:
        self._old, self._files, self._items = old, files, revised.items
        self._places = {item.path: place for place, item in enumerate(manifest.items)}

    def read(self, index: int) -> bytes:
        """The file's bytes, the same that were scanned."""
        path = self._items[index].path
        return self._files[path].read_bytes() if path in self._files else self._old.read(self._places[path])

    def prepare(self) -> None:
        """Fetch what the old revision has."""
        self._old.prepare()


def store_revision(attempt: Attempt, revised: Manifest, source: OldAndNew) -> None:
    """Pack the items and put them into the artifact store."""
    source.prepare()
    bundle = packed_photos(attempt)
    pack_bundle(source, revised, bundle, on_progress=StageProgress(attempt, "pack"))
    store_dataset(attempt, revised, bundle)


def record_revision(
    session: Session, attempt: Attempt, base: Dataset, revised: Manifest, made_from: Json | None = None
) -> None:
    """Make it current where the base still is, and speak the verdict.

    Raises:
        DatasetChanged: another import gave the name another revision meanwhile.
    """
    lock_dataset(session, revised.name)
    check_current(session, base)
    record_dataset(session, attempt, revised, made_from)


def check_current(session: Session, base: Dataset) -> None:
    """Hold that the base is its name's current revision.

    Raises:
        DatasetChanged: it is not.
    """
    current = current_dataset(session, base.name)
    if current is None or current.revision != base.revision:
        hint = "Ask for it again: what was said is still there."
        raise DatasetChanged(f"dataset {base.name!r} got another revision meanwhile", hint)
