"""An import job: an archive, or what the project brings or fetches itself, becomes a dataset."""

from pathlib import Path
from typing import Any

from ml.archive import extract_archive
from ml.oxford import download_pets
from ml.sample import draw_sample
from ml.scan import scan_folder
from store.db.datasets import add_dataset

from ml.bundle import write_bundle
from ml.errors import ArchiveRejected, Stopped
from ml.images import Limits
from ml.manifest import LabelRule
from ml.reporting import Progress
from store.db.jobs import change_state
from store.keys import bundle_key, manifest_key
from store.states import State
from worker.attempt import Attempt


def import_dataset(attempt: Attempt) -> None:
    """Make the dataset that the job's payload describes; a failure leaves none.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    payload = attempt.job.payload
    source = payload["source"]
    folder = _collect(attempt, source)
    settings = attempt.settings
    manifest = scan_folder(
        folder,
        LabelRule.model_validate(payload["rule"]),
        name=payload["name"],
        drawn=source.get("builtin") == "sample",
        limits=Limits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels),
        on_progress=_Teller(attempt, "scan"),
    )
    bundle = attempt.work / "images.tar"
    write_bundle(folder, manifest, bundle)
    attempt.artifacts.put_file(bundle_key(manifest.revision), bundle)
    attempt.artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
    with attempt.sessions.begin() as session:
        add_dataset(
            session,
            name=manifest.name,
            revision=manifest.revision,
            drawn=manifest.drawn,
            label_rule=manifest.rule.model_dump(),
            vocab=list(manifest.vocab),
            items=len(manifest.items),
            summary=manifest.summary(),
        )
        if change_state(session, attempt.job.id, State.SUCCEEDED, attempt=attempt.number) is None:
            raise Stopped
    _forget_upload(attempt, source)


def _collect(attempt: Attempt, source: dict[str, Any]) -> Path:
    """A folder with the pictures, in the work folder or the cache."""
    folder = attempt.work / "pictures"
    folder.mkdir()
    if source["kind"] == "archive":
        archive = attempt.artifacts.fetch(source["key"], attempt.work / "archive")
        try:
            extract_archive(archive, folder)
        except ArchiveRejected:
            # the archive will not become better; a worker that died on the way will want it once more
            _forget_upload(attempt, source)
            raise
        return folder
    if source["builtin"] == "sample":
        draw_sample(folder, on_progress=_Teller(attempt, "draw"))
        return folder
    return download_pets(attempt.settings.cache / "downloads", on_progress=_Teller(attempt, "download"))


class _Teller:
    """Progress of one stage; also where an import notices that it must stop."""

    def __init__(self, attempt: Attempt, stage: str) -> None:
        self._attempt, self._stage = attempt, stage

    def __call__(self, done: int, total: int) -> None:
        self._attempt.reporter.on_progress(Progress(stage=self._stage, step=done, steps=total))
        if self._attempt.reporter.should_stop():
            raise Stopped


def _forget_upload(attempt: Attempt, source: dict[str, Any]) -> None:
    if source["kind"] == "archive":
        attempt.artifacts.delete(source["key"])
