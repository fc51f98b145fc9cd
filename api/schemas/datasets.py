"""Datasets, in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from api.schemas.fields import Body, DatasetName
from store.db.models import Dataset


class BuiltinRequest(Body):
    """Bring in a dataset that the project knows: the drawn sample, or the original pet photos by download."""

    name: DatasetName
    builtin: Literal["sample", "oxford-iiit-pet"]


class ArchiveForm(Body):
    """The fields beside an uploaded archive: its name, and where the label comes from."""

    name: DatasetName
    regex: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    by_folder: bool = False


class DatasetSummary(BaseModel):
    """A dataset in a list. ``drawn`` is true where the project drew the pictures itself."""

    name: str
    revision: str
    drawn: bool
    items: int
    breeds: int
    created_at: datetime

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """From the record."""
        return cls(**_summary(dataset))


class DatasetOut(DatasetSummary):
    """A dataset with what its import found."""

    vocab: list[str]
    label_rule: dict[str, Any]
    summary: Annotated[dict[str, Any], Field(description="counts per breed, sizes, formats, exclusions by code")]

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """From the record."""
        return cls(**_summary(dataset), vocab=dataset.vocab, label_rule=dataset.label_rule, summary=dataset.summary)


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "revision": dataset.revision,
        "drawn": dataset.drawn,
        "items": dataset.items,
        "breeds": len(dataset.vocab),
        "created_at": dataset.created_at,
    }
