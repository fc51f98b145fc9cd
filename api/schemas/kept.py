"""Kept predictions, in and out."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from api.schemas.fields import Body, SentId, ShortText
from api.schemas.predictions import Guess
from ml.config_rules import refusal
from store.db.kept_tables import Feedback, KeptPrediction


def plain_label(text: str) -> str:
    """A label as folders and lists have them: one line, nothing around it, composed."""
    if any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text):
        raise refusal("it has a line break or another control character", "Leave that character out.")
    bare = unicodedata.normalize("NFC", text).strip()
    if not bare:
        raise refusal("it is empty", "Name a breed, or send null where it is none of the model's.")
    return bare


class FeedbackRequest(Body):
    """What is on the picture. A breed that is not of the model is taken too, and marked; null: none of its breeds."""

    breed: Annotated[ShortText, AfterValidator(plain_label)] | None = Field(examples=["Birman"])


class FeedbackOut(BaseModel):
    """What somebody said is on the picture."""

    breed: str | None = Field(description="null: none of the model's breeds")
    of_vocabulary: bool | None = Field(description="whether the breed is one of the model's; null where it is null")
    given_at: datetime


class KeptPredictionOut(BaseModel):
    """A kept prediction. Neither the file's name nor who asked is known any more."""

    id: UUID
    answered_at: datetime
    sha256: str = Field(description="of the picture's bytes")
    bytes: int
    version: int
    asked: str = Field(description="the alias or version that was asked for")
    breed: str
    probability: float
    top: list[Guess] = Field(description="the likeliest breeds, 5 at most")
    sure: bool
    known: bool | None = Field(description="null where the model cannot say")
    milliseconds: float = Field(description="from the request as it was read to its answer")
    photo: bool = Field(description="whether the photo is there")
    feedback: FeedbackOut | None = Field(description="the last word on it")
    contradicted: bool = Field(description="whether the feedback names another breed, or none")

    @classmethod
    def of(cls, row: KeptPrediction, photos: set[str]) -> Self:
        """From the record, and the photos that are there."""
        feedback = None
        if row.feedback_at is not None:
            feedback = FeedbackOut(breed=row.feedback_breed, of_vocabulary=row.of_vocabulary, given_at=row.feedback_at)
        return cls(
            id=row.id,
            answered_at=row.answered_at,
            sha256=row.sha256,
            bytes=row.bytes,
            version=row.version,
            asked=row.asked,
            breed=row.breed,
            probability=row.probability,
            top=[Guess.model_validate(one) for one in row.top],
            sure=row.sure,
            known=row.known,
            milliseconds=row.milliseconds,
            photo=row.with_photo and row.sha256 in photos,
            feedback=feedback,
            contradicted=feedback is not None and feedback.breed != row.breed,
        )


class KeptPredictionWhole(KeptPredictionOut):
    """A kept prediction with all that was said of it."""

    history: list[FeedbackOut] = Field(description="the latest first, 20 at most")

    @classmethod
    def with_history(cls, row: KeptPrediction, photos: set[str], said: Sequence[Feedback]) -> Self:
        history = [FeedbackOut(breed=one.breed, of_vocabulary=one.of_vocabulary, given_at=one.given_at) for one in said]
        return cls(**KeptPredictionOut.of(row, photos).model_dump(), history=history)


class Forgotten(BaseModel):
    """What was deleted."""

    predictions: int
    photos: int


class Keeping(BaseModel):
    """What the service keeps of predictions, by its settings."""

    predictions: Literal["no", "answers", "photos"] = Field(
        description="nothing; answers without photos; or photos too, where the request asks with `keep=photo`"
    )
    days: float
    most_bytes: int = Field(description="of all photos")
    most_predictions: int


class FromFeedback(Body):
    """Which feedback makes the dataset's next revision: all of it, or a part."""

    new_labels: bool = Field(
        default=False, description="take breeds too that the dataset does not have; else they are left out and counted"
    )
    version: SentId | None = Field(None, description="only what this version answered")
    since: AwareDatetime | None = Field(None, description="only what was said then or later")
