"""Kept predictions and photos that are too old, or too many."""

import logging
from datetime import timedelta

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.audit import BATCH as MOST_CHANGES
from store.db.audit import forget_old_changes
from store.db.drift import forget_old_counts
from store.db.kept import BATCH, forget_old
from store.db.kept_photos import on_record
from store.db.webhooks import BATCH as MOST_DELIVERIES
from store.db.webhooks import forget_old_deliveries
from store.kept_photos import KeptPhotos
from store.keys import photo_key, photo_of_key
from store.settings import Settings

COUNTS_LIFE = timedelta(days=400)

log = logging.getLogger(__name__)


def forget_old_predictions(sessions: sessionmaker[Session], settings: Settings) -> bool:
    """Delete a part of what is beyond PEDIGREE_KEEP_DAYS and _ROWS; returns whether more may be left."""
    life = timedelta(days=settings.keep_days)
    with sessions.begin() as session:
        deleted = forget_old(session, older_than=life, most_rows=settings.keep_rows)
    if deleted:
        log.info("%d kept predictions were deleted: too old, or too many", deleted)
    return deleted == BATCH


def forget_changes(sessions: sessionmaker[Session], *, older_than: timedelta) -> bool:
    """Delete a part of what the record of changes has of so long ago; returns whether more may be left."""
    with sessions.begin() as session:
        deleted = forget_old_changes(session, older_than=older_than)
    if deleted:
        log.info("%d changes made more than %s ago were deleted from their record", deleted, older_than)
    return deleted == MOST_CHANGES


def forget_deliveries(sessions: sessionmaker[Session], *, older_than: timedelta) -> bool:
    """Delete a part of what webhooks were told so long ago; returns whether more may be left."""
    with sessions.begin() as session:
        deleted = forget_old_deliveries(session, older_than=older_than)
    if deleted:
        log.info("%d deliveries of webhooks made more than %s ago were deleted", deleted, older_than)
    return deleted == MOST_DELIVERIES


def forget_counts(sessions: sessionmaker[Session]) -> None:
    """Delete the counts of days long ago, which drift is told by."""
    with sessions.begin() as session:
        forget_old_counts(session, older_than=COUNTS_LIFE)


def forget_photos(sessions: sessionmaker[Session], artifacts: ArtifactStore, settings: Settings) -> None:
    """Delete photos of which no prediction is left, and the oldest of those beyond PEDIGREE_KEEP_BYTES.

    Raises:
        ServiceUnavailable: the artifact store does not answer.
    """
    photos = KeptPhotos(sessions, artifacts, settings.keep_bytes)
    deleted = 0
    for drop in (photos.drop_unwanted, photos.make_room):
        while count := drop():
            deleted += count
    if deleted:
        log.info("%d kept photos were deleted", deleted)


def unknown_photos(session: Session, keys: list[str]) -> list[str]:
    """Keys of photos that the record does not name, as a restored database may leave them."""
    hashes = [found for key in keys if (found := photo_of_key(key)) is not None]
    known = on_record(session, hashes)
    return [photo_key(one) for one in hashes if one not in known]
