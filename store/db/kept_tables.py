"""The tables of what predictions leave behind: the kept ones, what people said of them, and figures of all of them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Double, ForeignKey, Identity, Index, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from store.db.base import Base, Json

CONTRADICTED = "feedback_at IS NOT NULL AND feedback_breed IS DISTINCT FROM breed"


class KeptPrediction(Base):
    """One answered picture. Neither the file's name nor who asked is kept."""

    __tablename__ = "kept_predictions"
    __table_args__ = (
        Index("ix_kept_predictions_photo", "sha256", postgresql_where=text("with_photo")),
        Index("ix_kept_predictions_told", "number", postgresql_where=text("feedback_at IS NOT NULL")),
        Index("ix_kept_predictions_contradicted", "number", postgresql_where=text(CONTRADICTED)),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """In the order of writing; what lists are sorted by."""
    id: Mapped[UUID] = mapped_column(Uuid, unique=True)
    """Made by the process that answered, before the row is written."""
    answered_at: Mapped[datetime] = mapped_column(index=True)
    sha256: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(index=True)
    asked: Mapped[str] = mapped_column(Text)
    """The alias or version in the request."""
    breed: Mapped[str] = mapped_column(Text)
    probability: Mapped[float] = mapped_column(Double)
    top: Mapped[list[Any]]
    """{"breed", "probability"} of the first few."""
    sure: Mapped[bool]
    known: Mapped[bool | None]
    """Whether the picture is of a kind that the model knows; null where the model cannot say."""
    milliseconds: Mapped[float] = mapped_column(Double)
    """From the time when the request was read to the time when its pictures were answered."""
    with_photo: Mapped[bool]
    """Whether the request asked that the photo be kept."""
    feedback_at: Mapped[datetime | None]
    feedback_breed: Mapped[str | None] = mapped_column(Text)
    """The last word on it; null with a time says that it is none of the breeds."""
    of_vocabulary: Mapped[bool | None]
    """Whether that breed is one of the model's."""


class Feedback(Base):
    """What was said of a prediction, one row each time that somebody changed their mind."""

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    number: Mapped[int] = mapped_column(ForeignKey("kept_predictions.number", ondelete="CASCADE"), index=True)
    breed: Mapped[str | None] = mapped_column(Text)
    of_vocabulary: Mapped[bool | None]
    given_at: Mapped[datetime] = mapped_column(server_default=func.now())


class KeptPhoto(Base):
    """A photo in the artifact store, once for all predictions of its content."""

    __tablename__ = "kept_photos"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    is_stored: Mapped[bool] = mapped_column(default=False)
    """False while it is being written: the row comes first, so that no file lies there unknown."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DriftCount(Base):
    """How often each value of a figure occurred on a day (UTC), over all processes; no row is about one picture."""

    __tablename__ = "drift_counts"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    figure: Mapped[str] = mapped_column(Text, primary_key=True)
    counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class DriftReference(Base):
    """The same figures of the validation side of a version's run."""

    __tablename__ = "drift_references"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    counts: Mapped[Json]
    """Figure to counts."""
    missing: Mapped[str | None] = mapped_column(Text)
    """Why figures are missing."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
