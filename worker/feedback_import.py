"""A dataset's next revision: its items, and the kept photos that people named the breed of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from ml.data.bundle import ImageSource, pack_bundle
from ml.data.manifest import Item, Manifest
from ml.data.scan import item_of
from ml.decode.image_kind import suffix_of
from ml.errors import ImageRejected
from store.db.datasets import current_dataset, lock_dataset
from store.db.models import Dataset
from store.db.taught import taught_photos
from store.errors import AppError, ArtifactMissing
from store.keys import photo_key
from worker.attempt import Attempt
from worker.dataset_record import record_dataset, store_dataset
from worker.stage_progress import StageProgress

FOLDER = "feedback"
"""Of the new items, in the dataset."""
_WHY = {
    "none_of_the_breeds": "said to be none of the breeds",
    "no_photo": "whose photo was not kept, or not for so long",
    "already_there": "in the dataset already",
    "new_label": "of a breed that the dataset does not have (`new_labels` takes them)",
    "unusable": "that cannot be decoded within the limits",
}


class DatasetChanged(AppError):
    """Another import was faster."""

    code = "dataset_changed"
    title = "Dataset changed"


@dataclass(frozen=True)
class _Addition:
    """The new items, where each lies, and how many were left out, by the reason."""

    files: Mapping[str, Path]
    items: list[Item]
    left_out: Counter[str]


class _Grown:
    """The bytes of the new revision's items: from the old bundle, or from the work folder."""

    def __init__(self, old: ImageSource, places: Mapping[str, int], files: Mapping[str, Path], grown: Manifest) -> None:
        self._old, self._places, self._files, self._items = old, places, files, grown.items

    def read(self, index: int) -> bytes:
        """The file's bytes, the same that were scanned."""
        path = self._items[index].path
        return self._files[path].read_bytes() if path in self._files else self._old.read(self._places[path])

    def prepare(self) -> None:
        """Fetch what the old revision has."""
        self._old.prepare()


def add_feedback(attempt: Attempt) -> None:
    """Add to the payload's dataset what was said since it was made; where nothing is new it stays as it is.

    Raises:
        DatasetChanged: another import gave the name another revision meanwhile.
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    payload = attempt.job.payload
    base = attempt.read(lambda session: current_dataset(session, payload["name"]))
    if base is None:
        raise DatasetChanged(f"there is no dataset {payload['name']!r} any more")
    manifest, old = attempt.dataset(base.id)
    added = _addition(attempt, manifest, payload["source"])
    said = _told(added)
    attempt.reporter.on_log(said)
    if not added.items:
        attempt.write(attempt.succeed)
        return
    grown = _grown(manifest, added.items, said)
    old.prepare()
    places = {item.path: place for place, item in enumerate(manifest.items)}
    bundle = attempt.work / "images.tar"
    pack_bundle(_Grown(old, places, added.files, grown), grown, bundle, on_progress=StageProgress(attempt, "pack"))
    store_dataset(attempt, grown, bundle)
    attempt.write(lambda session: _record(session, attempt, base, grown))


def _grown(manifest: Manifest, more: list[Item], note: str) -> Manifest:
    return Manifest(
        decoding=manifest.decoding,
        name=manifest.name,
        drawn=manifest.drawn,
        rule=manifest.rule,
        items=tuple(sorted([*manifest.items, *more], key=lambda item: item.path)),
        exclusions=manifest.exclusions,
        notes=(*manifest.notes, note),
        label_list=manifest.label_list,
    )


def _addition(attempt: Attempt, manifest: Manifest, source: dict[str, Any]) -> _Addition:
    since = None if source["since"] is None else datetime.fromisoformat(source["since"])
    taught = attempt.read(lambda session: taught_photos(session, version=source["version"], since=since))
    left_out = Counter[str](taught.left_out)
    known, vocab = {item.sha256 for item in manifest.items}, set(manifest.vocab)
    progress = StageProgress(attempt, "scan")
    files: dict[str, Path] = {}
    items: list[Item] = []
    for done, (sha256, breed) in enumerate(sorted(taught.photos.items())):
        progress(done, len(taught.photos))
        if sha256 in known:
            left_out["already_there"] += 1
        elif breed not in vocab and not source["new_labels"]:
            left_out["new_label"] += 1
        elif isinstance(found := _item(attempt, sha256, breed, manifest.decoding), str):
            left_out[found] += 1
        else:
            items.append(found)
            files[found.path] = _place(attempt, sha256)
    return _Addition(files, items, left_out)


def _item(attempt: Attempt, sha256: str, breed: str, decoding: int) -> Item | str:
    """A photo as an item, or why it is none."""
    try:
        data = attempt.artifacts.get_bytes(photo_key(sha256))
    except ArtifactMissing:
        return "no_photo"  # it was forgotten since the record was read
    try:
        suffix = suffix_of(data)
        if suffix is None:
            return "unusable"
        item = item_of(data, f"{FOLDER}/{sha256}{suffix}", breed, attempt.limits, decoding)
    except ImageRejected:
        return "unusable"
    if item.sha256 != sha256:
        return "no_photo"  # the store lost it
    place = _place(attempt, sha256)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    return item


def _place(attempt: Attempt, sha256: str) -> Path:
    return attempt.work / FOLDER / sha256


def _told(added: _Addition) -> str:
    count = len(added.items)
    said = f"{count} {'photo was' if count == 1 else 'photos were'} added from feedback"
    reasons = ", ".join(f"{added.left_out[code]} {why}" for code, why in _WHY.items() if added.left_out[code])
    return f"{said}; left out: {reasons}" if reasons else said


def _record(session: Session, attempt: Attempt, base: Dataset, grown: Manifest) -> None:
    lock_dataset(session, grown.name)
    current = current_dataset(session, grown.name)
    if current is None or current.revision != base.revision:
        hint = "Ask for it again: what was said is still there."
        raise DatasetChanged(f"dataset {grown.name!r} got another revision meanwhile", hint)
    record_dataset(session, attempt, grown)
