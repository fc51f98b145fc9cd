"""How far a run's answers can be trusted, as its validation side says."""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field


class CalibrationErrorOut(BaseModel):
    """The mean distance of confidence and accuracy over bins of equally many photos, with its 95 % interval."""

    ece: float
    low: float
    high: float
    by_chance: float = Field(
        description="a perfectly calibrated model stays below it in 95 of 100 cases, with as many photos"
    )


class CoverageOut(BaseModel):
    """How often sets that were asked to hold the true breed so often did, and how many breeds they had in the mean."""

    asked: float
    found: float
    mean_size: float


class JudgementOut(BaseModel):
    """What the run's validation side says. Each figure is of photos that the measured part was not fitted on."""

    model_config = ConfigDict(extra="ignore")

    photos: int
    temperature: float
    raw: CalibrationErrorOut | None
    calibrated: CalibrationErrorOut | None
    refused_asked: float
    refused: float | None = Field(description="share of the validation side that is taken for unknown")
    coverages: list[CoverageOut]
    sentences: list[str] = Field([], description="the same in words, for people")

    @classmethod
    def of(cls, recorded: dict[str, Any] | None) -> Self | None:
        """From a run's record, which calls its ``photos`` pictures; None where there is none."""
        if recorded is None:
            return None
        found = cls.model_validate({**recorded, "photos": recorded["pictures"]})
        return found.model_copy(update={"sentences": list(_sentences(found))})


def _sentences(found: JudgementOut) -> Iterator[str]:
    if found.raw is None or found.calibrated is None:
        yield "No validation photo could be used: its answers are not calibrated."
        return
    yield (
        f"Calibration error {_margin(found.raw)} before and {_margin(found.calibrated)} after calibration at "
        f"temperature {found.temperature:.2f}, on {found.photos} photos; up to {found.calibrated.by_chance:.3f} "
        "may be chance."
    )
    if found.refused is not None:
        yield (
            f"{found.refused:.1%} of the validation photos are taken for unknown, where "
            f"{found.refused_asked:.1%} are asked for."
        )
    for one in found.coverages:
        yield (
            f"Sets for a coverage of {one.asked:.0%} held the true breed in {one.found:.1%} and have "
            f"{one.mean_size:.2f} breeds in the mean."
        )


def _margin(error: CalibrationErrorOut) -> str:
    return f"{error.ece:.3f} ({error.low:.3f} to {error.high:.3f})"
