"""What POST /predict answers."""

from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas.scores import Scoring


class ServedModel(Scoring):
    """Which model answered. ``drawn`` is true where it learned from drawn pictures: do not trust it with photos."""

    version: int
    run: int
    arch: str
    drawn: bool


SURE_FROM: Final = 0.5
"""The score from which on an answer is ``sure``."""


class Guess(BaseModel):
    """A breed and its score, 0 to 1."""

    breed: str
    probability: float


class Prediction(BaseModel):
    """The answer for one picture. ``probabilities`` holds every breed; the model's ``scores`` says what they sum to."""

    filename: str
    breed: str = Field(examples=["Birman"])
    species: Literal["cat", "dog"] | None
    probability: float
    sure: bool = Field(
        description=f"whether the first breed's score is {SURE_FROM} or more. That is the model's own word and not "
        "calibrated: a photo without a pet can get a high score too"
    )
    top: list[Guess]
    probabilities: dict[str, float]
    id: UUID | None = Field(None, description="of the kept prediction, for feedback on it; null where it is not kept")


class PictureError(BaseModel):
    """Why one picture of several could not be used."""

    code: str
    detail: str
    hint: str | None = None


class FailedPicture(BaseModel):
    """One broken picture of several."""

    filename: str
    error: PictureError


class AnsweredBy(BaseModel):
    """What is said of all the pictures of a request."""

    model: ServedModel
    tta: bool = Field(description="whether each picture's scores are an average over augmented copies")


class Predictions(AnsweredBy):
    """An entry for each file, in the order sent."""

    predictions: list[Prediction | FailedPicture]
