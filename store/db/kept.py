"""Kept predictions: written in batches, looked up, judged by people, forgotten."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.base import Json
from store.db.kept_tables import Feedback, KeptPrediction
from store.db.models import Dataset, ModelVersion, Run
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.errors import NotFound, one_of

BATCH = 5000
"""Rows deleted in one transaction, so that none is open for long."""
_ADD = insert(KeptPrediction.__table__).on_conflict_do_nothing(index_elements=["id"])  # type: ignore[arg-type]  # a Table
MOST_FEEDBACK = 20
"""Words on one prediction that are kept, the latest."""


@dataclass(frozen=True, kw_only=True)
class NewPrediction:
    """What is kept of one answered picture; see the columns."""

    id: UUID
    answered_at: datetime
    sha256: str
    bytes: int
    version: int
    asked: str
    breed: str
    probability: float
    top: list[dict[str, str | float]]
    sure: bool
    known: bool | None
    milliseconds: float
    with_photo: bool


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which kept predictions are asked for; None: whichever."""

    unsure: bool | None = None
    unknown: bool | None = None
    told: bool | None = None
    """With feedback."""
    contradicted: bool | None = None
    version: int | None = None
    since: datetime | None = None
    trained_on: str | None = None
    """Answered by a version that was trained on the dataset of this name."""
    with_photo: bool | None = None
    """The request asked that the photo be kept."""


def add_predictions(session: Session, rows: Sequence[NewPrediction]) -> None:
    """Write them; those that are there already, from a writing whose end was not seen, stay as they are."""
    # The values beside the statement: with them in it, it would be compiled again for each number of rows.
    session.execute(_ADD, [_columns(row) for row in rows])


def _columns(row: NewPrediction) -> Json:
    return {
        "id": row.id,
        "answered_at": row.answered_at,
        "sha256": row.sha256,
        "bytes": row.bytes,
        "version": row.version,
        "asked": row.asked,
        "breed": row.breed,
        "probability": row.probability,
        "top": row.top,
        "sure": row.sure,
        "known": row.known,
        "milliseconds": row.milliseconds,
        "with_photo": row.with_photo,
    }


def get_prediction(session: Session, prediction: UUID, *, lock: bool = False) -> KeptPrediction:
    """A kept prediction; ``lock`` holds its row until the transaction ends.

    Raises:
        NotFound: there is none of this id.
    """
    statement = select(KeptPrediction).where(KeptPrediction.id == prediction)
    found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound(f"there is no kept prediction {prediction}", one_of("predictions"))
    return found


def list_predictions(
    session: Session, filters: Filters, *, cursor: str | None = None, limit: int = 50
) -> Page[KeptPrediction]:
    """Kept predictions, newest first.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(KeptPrediction).where(*_conditions(filters)).order_by(KeptPrediction.number.desc())
    if cursor is not None:
        statement = statement.where(KeptPrediction.number < decode_cursor(cursor)[0])
    rows = session.scalars(statement.limit(check_limit(limit) + 1)).all()
    return make_page(rows, limit, lambda row: (row.number,))


def predictions_named(session: Session, ids: Collection[UUID]) -> Sequence[KeptPrediction]:
    """The kept predictions among these ids."""
    among = any_(literal(list(ids), ARRAY(Uuid)))  # one value, however many they are
    return session.scalars(select(KeptPrediction).where(KeptPrediction.id == among)).all()


def vocabulary_of(session: Session, version: int) -> list[str]:
    """The breeds of a version's model; empty where it is not registered."""
    found = session.get(ModelVersion, version)
    return [] if found is None else [str(breed) for breed in found.run.vocab]


def give_feedback(session: Session, prediction: UUID, breed: str | None) -> KeptPrediction:
    """Say what is on the picture; None: none of the model's breeds. The last word counts, and the same again is none.

    Raises:
        NotFound: there is no such prediction.
    """
    row = get_prediction(session, prediction, lock=True)
    if row.feedback_at is not None and row.feedback_breed == breed:
        return row
    row.feedback_at = session.scalar(select(func.clock_timestamp()))
    row.feedback_breed = breed
    row.of_vocabulary = None if breed is None else breed in vocabulary_of(session, row.version)
    said = Feedback(number=row.number, breed=breed, of_vocabulary=row.of_vocabulary, given_at=row.feedback_at)
    session.add(said)
    session.flush()
    kept = select(Feedback.id).where(Feedback.number == row.number).order_by(Feedback.id.desc()).limit(MOST_FEEDBACK)
    session.execute(delete(Feedback).where(Feedback.number == row.number, Feedback.id.not_in(kept)))
    return row


def feedback_of(session: Session, row: KeptPrediction) -> Sequence[Feedback]:
    """What was said of it, the latest first."""
    return session.scalars(select(Feedback).where(Feedback.number == row.number).order_by(Feedback.id.desc())).all()


def forget_prediction(session: Session, prediction: UUID) -> str:
    """Delete a kept prediction, with what was said of it; the sha256 of its photo.

    Raises:
        NotFound: there is none of this id.
    """
    row = get_prediction(session, prediction, lock=True)
    session.delete(row)
    return row.sha256


def forget_before(session: Session, before: datetime) -> int:
    """Delete kept predictions that were answered before a time, at most ``BATCH``; how many were deleted."""
    return _delete(session, KeptPrediction.answered_at < before)


def forget_old(session: Session, *, older_than: timedelta, most_rows: int) -> int:
    """Delete what is too old, and what is too much, at most ``BATCH``; how many were deleted."""
    first = select(KeptPrediction.number).order_by(KeptPrediction.number.desc()).offset(most_rows).limit(1)
    old = KeptPrediction.answered_at < func.now() - older_than
    return _delete(session, old | (KeptPrediction.number <= first.scalar_subquery()))


def _delete(session: Session, which: ColumnElement[bool]) -> int:
    some = select(KeptPrediction.number).where(which).limit(BATCH)
    statement = delete(KeptPrediction).where(KeptPrediction.number.in_(some))
    return len(session.execute(statement.returning(KeptPrediction.number)).all())


def _contradicted() -> ColumnElement[bool]:
    """As ``CONTRADICTED`` says it to the index."""
    return and_(
        KeptPrediction.feedback_at.is_not(None), KeptPrediction.feedback_breed.is_distinct_from(KeptPrediction.breed)
    )


def _conditions(asked: Filters) -> list[ColumnElement[bool]]:
    flags: list[tuple[bool | None, ColumnElement[bool]]] = [
        (asked.unsure, ~KeptPrediction.sure),
        (asked.unknown, KeptPrediction.known.is_(False)),
        (asked.told, KeptPrediction.feedback_at.is_not(None)),
        (asked.contradicted, _contradicted()),
        (asked.with_photo, KeptPrediction.with_photo.is_(True)),
    ]
    found = [holds if wanted else holds.is_not(True) for wanted, holds in flags if wanted is not None]
    if asked.version is not None:
        found.append(KeptPrediction.version == asked.version)
    if asked.trained_on is not None:
        versions = select(ModelVersion.id).join(Run, Run.id == ModelVersion.run_id).join(Run.dataset)
        found.append(KeptPrediction.version.in_(versions.where(Dataset.name == asked.trained_on)))
    if asked.since is not None:
        found.append(KeptPrediction.answered_at >= asked.since)
    return found
