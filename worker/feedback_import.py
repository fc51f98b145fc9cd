"""A dataset's next revision: its items, and the kept photos that people named the breed of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ml.data.manifest import Item, Manifest
from store.db.datasets import current_dataset
from store.db.taught import taught_photos
from worker.attempt import Attempt
from worker.kept_items import kept_item, place_of
from worker.revisions import DatasetChanged, OldAndNew, record_revision, store_revision
from worker.stage_progress import StageProgress

_WHY = {
    "none_of_the_breeds": "said to be none of the breeds",
    "no_photo": "whose photo was not kept, or not for so long",
    "already_there": "in the dataset already",
    "new_label": "of a breed that the dataset does not have (`new_labels` takes them)",
    "unusable": "that cannot be decoded within the limits",
}


@dataclass(frozen=True)
class _Addition:
    """The new items, where each lies, and how many were left out, by the reason."""

    files: Mapping[str, Path]
    items: list[Item]
    left_out: Counter[str]


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
    store_revision(attempt, grown, OldAndNew(old, manifest, added.files, grown))
    attempt.write(lambda session: record_revision(session, attempt, base, grown))


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
        elif isinstance(found := kept_item(attempt, sha256, breed, manifest.decoding), str):
            left_out[found] += 1
        else:
            items.append(found)
            files[found.path] = place_of(attempt, sha256)
    return _Addition(files, items, left_out)


def _told(added: _Addition) -> str:
    count = len(added.items)
    said = f"{count} {'photo was' if count == 1 else 'photos were'} added from feedback"
    reasons = ", ".join(f"{added.left_out[code]} {why}" for code, why in _WHY.items() if added.left_out[code])
    return f"{said}; left out: {reasons}" if reasons else said
