"""Kept photos on record: which are wanted, which are not any more, and how much they take."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.kept_tables import KeptPhoto, KeptPrediction

BATCH = 500


def begin_photos(session: Session, sizes: Mapping[str, int]) -> set[str]:
    """Put photos on record before they are stored; those that nobody wants any more, or that are stored, are left out.

    Args:
        session: the caller's transaction.
        sizes: bytes, by sha256.

    Returns:
        Those that are to be stored now.
    """
    lock_photos(session, sizes)
    wanted = _wanted_among(session, sizes)
    if not wanted:
        return set()
    rows = [{"sha256": one, "bytes": sizes[one], "is_stored": False} for one in sorted(wanted)]
    session.execute(insert(KeptPhoto).values(rows).on_conflict_do_nothing(index_elements=["sha256"]))
    fresh = select(KeptPhoto.sha256).where(KeptPhoto.sha256.in_(wanted), ~KeptPhoto.is_stored)
    return set(session.scalars(fresh))


def note_stored(session: Session, hashes: Collection[str]) -> set[str]:
    """Say that photos lie in the store; those that nobody wants any more, so that they have to go again, are returned.

    Until the transaction ends nobody else puts these photos on record or takes them off.
    """
    lock_photos(session, hashes)
    wanted = _wanted_among(session, hashes)
    stored = update(KeptPhoto).where(KeptPhoto.sha256.in_(wanted)).values(is_stored=True).returning(KeptPhoto.sha256)
    return set(hashes) - set(session.scalars(stored))


def lock_photos(session: Session, hashes: Collection[str]) -> None:
    """Hold photos' places until the transaction ends; in one order, so that nobody waits in a circle."""
    one = func.unnest(cast(sorted(hashes), ARRAY(Text))).column_valued("one")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("photo:" + one, 0)))).all()


def is_kept(session: Session, sha256: str) -> bool:
    """Whether the photo lies in the store."""
    return session.scalar(select(KeptPhoto.is_stored).where(KeptPhoto.sha256 == sha256)) is True


def kept_among(session: Session, hashes: Collection[str]) -> set[str]:
    """Those of the photos that lie in the store."""
    return set(session.scalars(select(KeptPhoto.sha256).where(KeptPhoto.sha256.in_(hashes), KeptPhoto.is_stored)))


def on_record(session: Session, hashes: Collection[str]) -> set[str]:
    """Those of the photos that the record names, stored or about to be."""
    # As one array: a statement may have 65,535 parameters, and a store more photos.
    asked = KeptPhoto.sha256 == any_(cast(list(hashes), ARRAY(Text)))
    return set(session.scalars(select(KeptPhoto.sha256).where(asked)))


def unwanted_photos(session: Session) -> Sequence[str]:
    """Photos of which no prediction is left, or whose writing was broken off a day ago; at most ``BATCH``."""
    wanted = select(KeptPrediction.number).where(KeptPrediction.sha256 == KeptPhoto.sha256, KeptPrediction.with_photo)
    return session.scalars(select(KeptPhoto.sha256).where(~wanted.exists() | _is_broken_off()).limit(BATCH)).all()


def photos_beyond(session: Session, most_bytes: int) -> Sequence[str]:
    """Photos that have to go so that all have room: those that nobody said anything of, and of these the oldest, first.

    At most ``BATCH``.
    """
    total = session.scalar(select(func.coalesce(func.sum(KeptPhoto.bytes), 0)).where(KeptPhoto.is_stored)) or 0
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
    lock_photos(session, [sha256])
    gone = delete(KeptPhoto).where(KeptPhoto.sha256 == sha256)
    if not even_wanted and _wanted_among(session, [sha256]):
        gone = gone.where(_is_broken_off())
    return session.scalar(gone.returning(KeptPhoto.sha256)) is not None


def _is_broken_off() -> ColumnElement[bool]:
    """No writing takes a day."""
    return and_(~KeptPhoto.is_stored, KeptPhoto.created_at < func.now() - timedelta(days=1))


def _wanted_among(session: Session, hashes: Collection[str]) -> set[str]:
    wanted = select(KeptPrediction.sha256).where(KeptPrediction.sha256.in_(hashes), KeptPrediction.with_photo)
    return set(session.scalars(wanted.distinct()))
