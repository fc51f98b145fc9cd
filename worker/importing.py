"""An import job: an archive, or what the project brings or fetches itself, becomes a dataset."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml.cache_names import DOWNLOADS
from ml.data.bundle import write_bundle
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.errors import ArchiveRejected, DatasetUnusable
from ml.late import Late
from ml.reporting import Progress
from ml.sample.draw import draw_sample
from ml.unpack.archive import extract_archive
from ml.versions import check_versions
from store.db.label_reviews import SOURCE
from worker.adding import add_photos
from worker.attempt import MIB, Attempt
from worker.dataset_record import packed_photos, record_dataset, store_dataset
from worker.feedback_import import add_feedback
from worker.review_import import apply_review
from worker.stage_progress import StageProgress

_DOWNLOAD: Late[Callable[..., Path]] = Late("ml.fetch.oxford", "download_pets")


def import_dataset(attempt: Attempt) -> None:
    """Make the dataset that the job's payload describes; a failure leaves none.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    payload = attempt.job.payload
    source = payload["source"]
    if source["kind"] == "feedback":
        add_feedback(attempt)
        return
    if source["kind"] == SOURCE:
        apply_review(attempt)
        return
    with _used_up(attempt, source):
        folder = _collect(attempt, source)
        manifest = _scan(attempt, folder, payload)
        for note in manifest.notes:
            attempt.reporter.on_log(note)
        if said := manifest.left_out():
            attempt.reporter.on_log(f"{said} (`datasets show` and the page say which)")
        if source.get("add"):
            add_photos(attempt, folder, manifest)
            return
        bundle = packed_photos(attempt)
        write_bundle(folder, manifest, bundle, on_progress=StageProgress(attempt, "pack"))
        store_dataset(attempt, manifest, bundle)
        attempt.write(lambda session: record_dataset(session, attempt, manifest))


def _collect(attempt: Attempt, source: dict[str, Any]) -> Path:
    """A folder with the pictures, in the work folder or the cache."""
    folder = attempt.work / "pictures"
    if source["kind"] == "archive":
        attempt.reporter.on_progress(Progress(stage="unpack"))
        said = extract_archive(
            attempt.fetch_upload(source["key"], "archive"),
            folder,
            max_bytes=attempt.settings.max_unpacked_bytes,
            encoding=source.get("encoding"),
            on_progress=StageProgress(attempt, "unpack", MIB),
        )
        if said is not None:
            attempt.reporter.on_log(said)
        return folder
    if source["builtin"] == "sample":
        draw_sample(folder, on_progress=StageProgress(attempt, "draw"))
        return folder
    return _download(attempt)


def _download(attempt: Attempt) -> Path:
    """The original photos; where they are published is torchvision's knowledge, whose import takes seconds."""
    check_versions()
    return _DOWNLOAD.get()(attempt.settings.cache / DOWNLOADS, on_progress=StageProgress(attempt, "download", MIB))


def _scan(attempt: Attempt, folder: Path, payload: dict[str, Any]) -> Manifest:
    source = payload["source"]
    return scan_folder(
        folder,
        LabelRule.model_validate(payload["rule"]),
        name=payload["name"],
        drawn=source.get("builtin") == "sample",
        limits=attempt.limits,
        labels=attempt.fetch_upload(source["labels"], "labels") if "labels" in source else None,
        encoding=source.get("encoding"),
        one_breed=True,
        on_progress=StageProgress(attempt, "scan"),
    )


@contextmanager
def _used_up(attempt: Attempt, source: dict[str, Any]) -> Iterator[None]:
    """Delete the upload once it is a dataset or can never become one.

    Where the work was put down, or failed through no fault of the archive, another attempt may want it; one that
    nobody comes back to is deleted by the repair process.
    """
    keys = [source[name] for name in ("key", "labels") if name in source]
    try:
        yield
    except (ArchiveRejected, DatasetUnusable):
        for key in keys:
            attempt.drop(key)
        raise
    for key in keys:
        attempt.drop(key)
