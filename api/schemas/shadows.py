"""How a shadow's answers differ from those that went out."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from ml.reading.metrics import wilson
from store.db.models import ShadowComparison
from store.db.shadows import comparisons_in

PAIRS_SHOWN = 20


class AgreementOut(BaseModel):
    """The share of photos whose first breed is the same, and where it lies with 95 % confidence (Wilson)."""

    share: float
    low: float
    high: float


class PairOut(BaseModel):
    """Two breeds that were answered in each other's place."""

    served: str
    shadow: str
    photos: int
    mean_difference: float


class ExampleOut(BaseModel):
    """A photo, by the sha256 of its bytes."""

    sha256: str
    served: str
    shadow: str
    difference: float


class ComparisonOut(BaseModel):
    """A shadow beside one version. A photo's difference is that of the breed whose probability differs most."""

    version: int = Field(description="the version whose answers went out")
    compared: int
    agreement: AgreementOut | None = Field(description="null before a photo was compared")
    mean_difference: float | None
    max_difference: float | None
    failed: int = Field(description="photos that the shadow could not answer")
    dropped: int = Field(description="photos that were not compared, because the service was busy")
    pairs: list[PairOut] = Field(description=f"breeds where they differ most often, {PAIRS_SHOWN} at most")
    examples: list[ExampleOut] = Field(description="photos that differ most")
    began_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: ShadowComparison) -> Self:
        return cls(
            version=row.against,
            compared=row.compared,
            agreement=_agreement(row),
            mean_difference=row.difference_sum / row.compared if row.compared else None,
            max_difference=row.difference_max if row.compared else None,
            failed=row.failed,
            dropped=row.dropped,
            pairs=_pairs(row)[:PAIRS_SHOWN],
            examples=[
                ExampleOut(sha256=one.sha256, served=one.served, shadow=one.shadow, difference=one.difference)
                for one in comparisons_in(row).examples
            ],
            began_at=row.began_at,
            updated_at=row.updated_at,
        )


class ShadowOut(BaseModel):
    """What a version answered as a shadow."""

    version: int
    is_shadow: bool = Field(description="whether the alias `shadow` points at it now")
    against: list[ComparisonOut] = Field(description="the version compared with last first")


def _agreement(row: ShadowComparison) -> AgreementOut | None:
    if not row.compared:
        return None
    low, high = wilson(row.agreed, row.compared)
    return AgreementOut(share=row.agreed / row.compared, low=low, high=high)


def _pairs(row: ShadowComparison) -> list[PairOut]:
    return [
        PairOut(served=served, shadow=shadow, photos=pair.photos, mean_difference=pair.difference_sum / pair.photos)
        for (served, shadow), pair in comparisons_in(row).pairs.items()
    ]
