"""Which files of the artifact store the record names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.jobs import IN_HAND
from store.db.kept_tables import KeptPhoto
from store.db.models import Artifact, Dataset, Job, Run
from store.db.repair import awaited_uploads
from store.keys import bundle_key, manifest_key, photo_key
from store.states import State


@dataclass(frozen=True)
class NamedFile:
    """A key; the sha256 (hex) and the bytes that the record knows of it; whether something is lost without it."""

    key: str
    sha256: str | None = None
    bytes: int | None = None
    is_needed: bool = True


def named_files(session: Session) -> list[NamedFile]:
    """Every file that some row names, each key once, sorted.

    Checkpoints are not needed: the record keeps naming those that went with their age, and whoever resumes a run
    without them begins it again. Nor are the parts of answers that a predict job in hand goes on from.
    """
    found: dict[str, NamedFile] = {}
    for file in _all(session):
        found.setdefault(file.key, file)
    return [found[key] for key in sorted(found)]


def _all(session: Session) -> Iterator[NamedFile]:
    for row in session.execute(select(Artifact.key, Artifact.sha256, Artifact.bytes)):
        yield NamedFile(row.key, row.sha256, row.bytes)
    for revision in session.scalars(select(Dataset.revision).distinct()):
        yield NamedFile(manifest_key(revision))
        yield NamedFile(bundle_key(revision))
    for photo in session.execute(select(KeptPhoto.sha256, KeptPhoto.bytes).where(KeptPhoto.is_stored)):
        yield NamedFile(photo_key(photo.sha256), photo.sha256, photo.bytes)
    for kept in session.scalars(select(Run.checkpoints).where(Run.checkpoints.is_not(None))):
        yield from (NamedFile(one["key"], is_needed=False) for one in kept or [])
    for key in awaited_uploads(session):
        yield NamedFile(key)
    for state, payload in session.execute(select(Job.state, Job.payload).where(Job.kind == "predict")):
        yield from _of_predict_job(State(state), payload)


def _of_predict_job(state: State, payload: dict[str, Any]) -> Iterator[NamedFile]:
    for one in payload.get("answers", {}).values():
        yield NamedFile(one["key"], one["sha256"], one["bytes"])
    if state in {State.QUEUED, *IN_HAND}:
        yield from (NamedFile(one["key"], one["sha256"], is_needed=False) for one in payload.get("parts", []))
