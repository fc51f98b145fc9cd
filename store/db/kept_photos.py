"""Kept photos on record: which are wanted, which are not any more, and how much they take."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.kept_tables import KeptPhoto, KeptPrediction

BATCH = 500


def begin_photo(session: Session, sha256: str, size: int) -> bool:
    """Put a photo on record before it is stored; False where nobody wants it any more, or it is stored already."""
    lock_photo(session, sha256)
    if not _is_wanted(session, sha256):
        return False
    statement = insert(KeptPhoto).values(sha256=sha256, bytes=size, is_stored=False)
    session.execute(statement.on_conflict_do_nothing(index_elements=["sha256"]))
    return not session.get_one(KeptPhoto, sha256).is_stored


def note_stored(session: Session, sha256: str) -> bool:
    """Say that a photo lies in the store; False where nobody wants it any more, so that it has to go again.

    Until the transaction ends nobody else puts this photo on record or takes it off.
    """
    lock_photo(session, sha256)
    if not _is_wanted(session, sha256):
        return False
    stored = update(KeptPhoto).where(KeptPhoto.sha256 == sha256).values(is_stored=True).returning(KeptPhoto.sha256)
    return session.scalar(stored) is not None


def lock_photo(session: Session, sha256: str) -> None:
    """Hold a photo's place until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"photo:{sha256}", 0))))


def is_kept(session: Session, sha256: str) -> bool:
    """Whether the photo lies in the store."""
    return session.scalar(select(KeptPhoto.is_stored).where(KeptPhoto.sha256 == sha256)) is True


def kept_among(session: Session, hashes: Collection[str]) -> set[str]:
    """Those of the photos that lie in the store."""
    return set(session.scalars(select(KeptPhoto.sha256).where(KeptPhoto.sha256.in_(hashes), KeptPhoto.is_stored)))


def on_record(session: Session, hashes: Collection[str]) -> set[str]:
    """Those of the photos that the record names, stored or about to be."""
    return set(session.scalars(select(KeptPhoto.sha256).where(KeptPhoto.sha256.in_(hashes))))


def unwanted_photos(session: Session) -> Sequence[str]:
    """Photos of which no prediction is left, or whose writing was broken off a day ago; at most ``BATCH``."""
    wanted = select(KeptPrediction.number).where(KeptPrediction.sha256 == KeptPhoto.sha256, KeptPrediction.with_photo)
    return session.scalars(select(KeptPhoto.sha256).where(~wanted.exists() | _is_broken_off()).limit(BATCH)).all()


def photos_beyond(session: Session, most_bytes: int) -> Sequence[str]:
    """Photos that have to go so that all have room: those that nobody said anything of, and of these the oldest, first.

    At most ``BATCH``.
    """
    total = session.scalar(select(func.coalesce(func.sum(KeptPhoto.bytes), 0))) or 0
    if total <= most_bytes:
        return []
    said = select(KeptPrediction.number).where(
        KeptPrediction.sha256 == KeptPhoto.sha256, KeptPrediction.feedback_at.is_not(None)
    )
    stored = select(KeptPhoto.sha256, KeptPhoto.bytes).where(KeptPhoto.is_stored)
    oldest = stored.order_by(said.exists(), KeptPhoto.created_at).limit(BATCH)
    going: list[str] = []
    for sha256, size in session.execute(oldest):
        if total <= most_bytes:
            break
        going.append(sha256)
        total -= size
    return going


def drop_photo(session: Session, sha256: str, *, even_wanted: bool) -> bool:
    """Take a photo off the record; False where there is none, or a prediction wants it. It is locked as above."""
    lock_photo(session, sha256)
    gone = delete(KeptPhoto).where(KeptPhoto.sha256 == sha256)
    if not even_wanted and _is_wanted(session, sha256):
        gone = gone.where(_is_broken_off())
    return session.scalar(gone.returning(KeptPhoto.sha256)) is not None


def _is_broken_off() -> ColumnElement[bool]:
    """No writing takes a day."""
    return and_(~KeptPhoto.is_stored, KeptPhoto.created_at < func.now() - timedelta(days=1))


def _is_wanted(session: Session, sha256: str) -> bool:
    wanted = select(KeptPrediction.number).where(KeptPrediction.sha256 == sha256, KeptPrediction.with_photo).limit(1)
    return session.scalar(wanted) is not None
