"""Breeds that are added to a registered model, in and out."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.fields import Body, DatasetName, ShortText


class AddBreedsRequest(Body):
    """Add the breeds of a dataset to a version's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"dataset": "new-breeds"}]})

    dataset: DatasetName = Field(description="a few photos of each new breed, and of no breed that the version knows")
    name: ShortText | None = Field(None, description="of the new run, for people")


class BreedCountOut(BaseModel):
    """Of a new breed's photos, how many were taken for another."""

    breed: str
    photos: int
    wrong: int


class AddedOut(BaseModel):
    """What came of breeds that a run added to its parent's.

    Each photo of a new breed is answered, among all breeds, by a model that was made without it.
    """

    model_config = ConfigDict(extra="ignore")

    version: int = Field(description="that the run is registered as; no alias points at it by itself")
    breeds: list[BreedCountOut] = Field(description="the new ones")
    photos: int = Field(description="of all new breeds")
    wrong: int = Field(description="of these, taken for another breed")
    error_rate: float = Field(description="of the new breeds")
    low: float = Field(description="from here the true error rate of the new breeds may lie")
    high: float = Field(description="up to here")
    confidence: float = Field(description="how often the true error rate lies between the two")
    folds: int = Field(description="into how many parts the photos were cut, of which each was left out once")
    taken_for_known: int = Field(description="of the wrong ones, taken for a breed that was known before")
    refused: float | None = Field(description="share of the new photos that is taken for unknown")
    known_photos: int = Field(description="validation photos of the breeds that were known before")
    known_error_before: float = Field(description="the share of them that the parent got wrong")
    known_error_after: float = Field(description="the share that is wrong now")
    taken_for_new: int = Field(description="of them, taken for a new breed now")
    sentence: str = Field(description="the same in words")

    @classmethod
    def of(cls, recorded: dict[str, Any] | None) -> Self | None:
        """From a run's record; None where it added none, or has not ended."""
        return None if recorded is None else cls.model_validate(recorded)
