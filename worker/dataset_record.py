"""How an import's dataset gets into the artifact store and on record."""

from pathlib import Path

from sqlalchemy.orm import Session

from ml.data.manifest import Manifest
from ml.reporting import Progress
from store.db.base import Json
from store.db.datasets import add_dataset
from store.keys import bundle_key, manifest_key
from worker.attempt import Attempt


def packed_photos(attempt: Attempt) -> Path:
    """Where an import packs its photos before they are stored; the file is there until its attempt ends."""
    return attempt.work / "images.tar"


def store_dataset(attempt: Attempt, manifest: Manifest, bundle: Path) -> None:
    """Put a dataset's files where they belong, once they have been found good.

    The keys are the content's, so an attempt that breaks off between these lines leaves what the next one puts again;
    deleting them could take them from another job's dataset.
    """
    attempt.reporter.on_progress(Progress(stage="store"))
    attempt.put(bundle_key(manifest.revision), bundle)
    content = manifest.model_dump_json().encode()
    attempt.stored(lambda artifacts: artifacts.put_bytes(manifest_key(manifest.revision), content))


def record_dataset(session: Session, attempt: Attempt, manifest: Manifest, made_from: Json | None = None) -> None:
    """Make it its name's current revision, and speak the verdict."""
    add_dataset(
        session,
        name=manifest.name,
        revision=manifest.revision,
        drawn=manifest.drawn,
        label_rule=manifest.rule.model_dump(mode="json"),
        vocab=list(manifest.vocab),
        items=len(manifest.items),
        summary=manifest.summary(),
        made_from=made_from,
        owner=attempt.job.owner,
        stored_bytes=packed_photos(attempt).stat().st_size,
    )
    attempt.succeed(session)
