"""What POST /predict answers."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas.scores import Scoring
from ml.serve.judgement import SURE_FROM


class ServedModel(Scoring):
    """Which model answered. ``drawn`` is true where it learned from drawn pictures: do not trust it with photos."""

    version: int
    run: int
    arch: str
    drawn: bool
    calibrated: bool = Field(
        description="whether its probabilities are calibrated on its run's validation photos; false: the run left "
        "nothing to do it with, and they are the raw ones"
    )


class Guess(BaseModel):
    """A breed with its calibrated probability, 0 to 1."""

    breed: str
    probability: float


class Prediction(BaseModel):
    """The answer for one picture. ``probabilities`` holds every breed; the model's ``scores`` says what they sum to.

    Probabilities are calibrated: of many photos whose first breed has 0.8, 80 % are of that breed. The raw ones are the
    model's own scores.
    """

    filename: str
    breed: str = Field(examples=["Birman"])
    species: Literal["cat", "dog"] | None
    probability: float
    raw_probability: float
    sure: bool = Field(
        description=f"whether the first breed's probability is {SURE_FROM} or more and `known` is not false"
    )
    known: bool | None = Field(
        description="false: the picture probably shows none of the model's breeds. Of photos like those of the run's "
        "validation side the share `refused_share` is refused like this. null: the model cannot say"
    )
    known_score: float | None = Field(
        description="the share of the run's validation photos that look no more like a known breed than this one: "
        "up to `refused_share` it is refused"
    )
    sentence: str = Field(description="the same in words, for people", examples=["not sure between Birman and Ragdoll"])
    set: list[str] | None = Field(
        description="with `coverage`: the smallest set of breeds that holds the true one in that share of photos of "
        "known breeds, the likeliest first. It is empty where not even the first is likely enough. Else null"
    )
    top: list[Guess]
    probabilities: dict[str, float]
    raw_probabilities: dict[str, float]
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


class SetCoverage(BaseModel):
    """How often a set holds the true breed. ``note`` says where it cannot be told and every set has all breeds."""

    asked: float
    photos: int = Field(description="validation photos that it is worked out from")
    note: str | None


class AnsweredBy(BaseModel):
    """What is said of all the photos of a request."""

    model: ServedModel
    tta: bool = Field(description="whether each photo's scores are an average over augmented copies")
    refused_share: float = Field(description="how many known photos may be taken for unknown: PEDIGREE_REFUSED_SHARE")
    coverage: SetCoverage | None = Field(description="of the sets; null where none were asked for")


class Predictions(AnsweredBy):
    """An entry for each file, in the order sent."""

    predictions: list[Prediction | FailedPicture]
