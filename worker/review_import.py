"""A dataset's next revision: its items with the labels that people corrected, without those that they dropped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from ml.data.manifest import Item, Manifest
from store.db.label_review_table import LabelReview
from store.db.label_reviews import reviews_of_job
from store.db.models import Dataset
from worker.attempt import Attempt
from worker.kept_items import kept_item, place_of
from worker.revisions import OldAndNew, check_current, record_revision, store_revision
from worker.stage_progress import StageProgress


@dataclass(frozen=True)
class _Additions:
    """Photos that were sent to be predicted and become items, and how many could not."""

    items: list[Item] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    left_out: int = 0


def apply_review(attempt: Attempt) -> None:
    """Make the revision that the job's decisions say; where they change no item the dataset stays as it is.

    Raises:
        DatasetChanged: another import gave the name another revision since the decisions were made.
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    base_id = int(attempt.job.payload["source"]["base_id"])

    def read(session: Session) -> tuple[Dataset, Sequence[LabelReview]]:
        base = session.get_one(Dataset, base_id)
        check_current(session, base)
        return base, reviews_of_job(session, attempt.job.id)

    base, reviews = attempt.read(read)
    manifest, old = attempt.dataset(base_id)
    added = _additions(attempt, reviews, manifest)
    by_path = {one.path: one for one in reviews}
    # Two names may share a revision's files.
    manifest = manifest.model_copy(update={"name": base.name, "drawn": base.drawn})
    counts = _counts(reviews, added, len([item for item in manifest.items if _is_dropped(item, by_path)]))
    note = _told(counts, added.left_out)
    attempt.reporter.on_log(note)
    revised = _revised(manifest, by_path, added, note)
    if revised.revision == base.revision:
        attempt.write(attempt.succeed)
        return
    made_from = {"revision": base.revision, "job": attempt.job.id, **counts}
    store_revision(attempt, revised, OldAndNew(old, manifest, added.files, revised))
    attempt.write(lambda session: record_revision(session, attempt, base, revised, made_from))


def _revised(manifest: Manifest, reviews: Mapping[str, LabelReview], added: _Additions, note: str) -> Manifest:
    """A manifest anew, checked as any other; sides of a given split stay."""
    items = [item for item in manifest.items if not _is_dropped(item, reviews)]
    items = [item.model_copy(update={"label": _label(item, reviews)}) for item in items] + added.items
    ordered = tuple(sorted(items, key=lambda item: item.path))
    return Manifest.model_validate({**dict(manifest), "items": ordered, "notes": (*manifest.notes, note)})


def _is_dropped(item: Item, reviews: Mapping[str, LabelReview]) -> bool:
    return item.path in reviews and reviews[item.path].action == "drop"


def _label(item: Item, reviews: Mapping[str, LabelReview]) -> str:
    found = reviews.get(item.path)
    return item.label if found is None or found.label is None else found.label


def _additions(attempt: Attempt, reviews: Sequence[LabelReview], manifest: Manifest) -> _Additions:
    added = _Additions()
    left_out = 0
    wanted = [one for one in reviews if one.action == "add"]
    progress = StageProgress(attempt, "scan")
    for done, one in enumerate(wanted):
        progress(done, len(wanted))
        found = kept_item(attempt, one.sha256, one.label or "", manifest.decoding)
        if isinstance(found, str):
            left_out += 1
        else:
            added.items.append(found)
            added.files[found.path] = place_of(attempt, one.sha256)
    return _Additions(added.items, added.files, left_out)


def _counts(reviews: Sequence[LabelReview], added: _Additions, dropped: int) -> dict[str, int]:
    found = Counter(one.action for one in reviews)
    return {"relabelled": found["relabel"], "dropped": dropped, "kept": found["keep"], "added": len(added.items)}


def _told(counts: Mapping[str, int], left_out: int) -> str:
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    gone = f"; {left_out} sent photos could not be added: they are gone, or cannot be decoded" if left_out else ""
    return f"labels reviewed: {said}{gone}"
