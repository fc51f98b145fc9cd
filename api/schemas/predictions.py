"""What POST /predict answers."""

from typing import Literal

from pydantic import BaseModel, Field


class ServedModel(BaseModel):
    """Which model answered. ``drawn`` is true where it learned from drawn pictures: do not trust it with photos."""

    version: int
    run: int
    arch: str
    drawn: bool


class Guess(BaseModel):
    """A breed and its probability, 0 to 1."""

    breed: str
    probability: float


class Prediction(BaseModel):
    """The answer for one picture. ``probabilities`` holds every breed and sums to 1."""

    filename: str
    breed: str = Field(examples=["Birman"])
    species: Literal["cat", "dog"] | None
    probability: float
    top: list[Guess]
    probabilities: dict[str, float]


class PictureError(BaseModel):
    """Why one picture of several was not looked at."""

    code: str
    detail: str


class FailedPicture(BaseModel):
    """One broken picture of several."""

    filename: str
    error: PictureError


class Predictions(BaseModel):
    """An entry for each file, in the order sent."""

    model: ServedModel
    predictions: list[Prediction | FailedPicture]
