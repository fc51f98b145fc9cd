"""A dataset's next revision: its items, and the photos of an archive beside them."""

from dataclasses import dataclass, field
from pathlib import Path

from ml.data.manifest import Item, Manifest
from ml.data.scan import item_of
from ml.errors import ImageRejected
from store.db.datasets import current_dataset
from worker.attempt import Attempt
from worker.revisions import DatasetChanged, OldAndNew, record_revision, store_revision
from worker.stage_progress import StageProgress


@dataclass
class _Addition:
    """The new items, where each lies, and how many the dataset had already."""

    items: list[Item] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    known: int = 0


def add_photos(attempt: Attempt, folder: Path, more: Manifest) -> None:
    """Add to the dataset of ``more``'s name the photos in ``folder``; where it has them all it stays as it is.

    Raises:
        DatasetChanged: there is no such dataset any more, or another import gave it another revision meanwhile.
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    base = attempt.read(lambda session: current_dataset(session, more.name))
    if base is None:
        raise DatasetChanged(f"there is no dataset {more.name!r} any more")
    manifest, old = attempt.dataset(base.id)
    added = _addition(attempt, folder, more, manifest)
    said = f"{len(added.items)} photos were added; {added.known} were in the dataset already"
    attempt.reporter.on_log(said)
    if not added.items:
        attempt.write(attempt.succeed)
        return
    items = tuple(sorted([*manifest.items, *added.items], key=lambda item: item.path))
    changes = {"name": base.name, "drawn": base.drawn, "items": items, "notes": (*manifest.notes, said)}
    grown = Manifest.model_validate({**dict(manifest), **changes})
    store_revision(attempt, grown, OldAndNew(old, manifest, added.files, grown))
    attempt.write(lambda session: record_revision(session, attempt, base, grown))


def _addition(attempt: Attempt, folder: Path, more: Manifest, manifest: Manifest) -> _Addition:
    """Decoded as the dataset's own items are; below a folder of the job's, so that no path is another's."""
    added, known = _Addition(), {item.sha256 for item in manifest.items}
    progress = StageProgress(attempt, "scan")
    for done, one in enumerate(more.items):
        progress(done, len(more.items))
        if one.sha256 in known:
            added.known += 1
            continue
        path = f"added-{attempt.job.id}/{one.path}"
        try:
            item = item_of((folder / one.path).read_bytes(), path, one.label, attempt.limits, manifest.decoding)
        except ImageRejected:
            continue  # an earlier decoding did not take it
        known.add(item.sha256)
        added.items.append(item)
        added.files[path] = folder / one.path
    return added
