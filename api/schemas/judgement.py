"""How far a run's answers can be trusted, as its validation side says."""

from collections.abc import Iterator
from typing import Any, Literal, Self

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


class PoorPhotosOut(BaseModel):
    """Validation photos as a poor camera would have taken them, and how much the run eases what that changes."""

    model_config = ConfigDict(extra="ignore")

    photos: int = Field(description="looked at, once blurred and once noisy")
    refused_wanted: float = Field(description="share of the blurred, and of the noisy, that may be taken for unknown")
    blurred: float | None = Field(description="share of them taken for unknown; null: too few photos to say")
    noisy: float | None = Field(description="share of them taken for unknown; null: too few photos to say")
    weight: float = Field(
        description="of the scatter that blur and noise bring, in parts of that within the breeds; a larger one keeps "
        "more poor photos known and lets more of the unknown pass"
    )
    choice: Literal["reached", "out_of_reach", "too_few"] = Field(
        description="reached: the smallest weight that keeps to what is wanted; out_of_reach: none does, and a larger "
        "one brings nothing; too_few: too few validation photos to choose by, and the usual weight"
    )

    @classmethod
    def of(cls, recorded: dict[str, Any] | None) -> Self | None:
        """From a run's record; None where it has none, as those of before."""
        if recorded is None:
            return None
        return cls.model_validate(
            {**recorded, "photos": recorded["pictures"], "refused_wanted": recorded["wanted"]},
        )


class JudgementOut(BaseModel):
    """What the run's validation side says. Each figure is of photos that the measured part was not fitted on."""

    model_config = ConfigDict(extra="ignore")

    photos: int
    temperature: float = Field(description="what logits are divided by")
    bias: float = Field(0.0, description="what is added to them then; 0 but for runs of binary cross-entropy")
    raw: CalibrationErrorOut | None
    calibrated: CalibrationErrorOut | None
    refused_asked: float
    refused: float | None = Field(description="share of the validation side that is taken for unknown")
    poor: PoorPhotosOut | None = Field(
        None,
        description="how poor photos fare; null: whether a photo is known is not said, or the run is of before",
    )
    coverages: list[CoverageOut]
    sentences: list[str] = Field([], description="the same in words, for people")

    @classmethod
    def of(cls, recorded: dict[str, Any] | None) -> Self | None:
        """From a run's record, which calls its ``photos`` pictures; None where there is none."""
        if recorded is None:
            return None
        poor = PoorPhotosOut.of(recorded.get("shift"))
        found = cls.model_validate({**recorded, "photos": recorded["pictures"], "poor": poor})
        return found.model_copy(update={"sentences": list(_sentences(found))})


def _way(found: JudgementOut) -> str:
    bias = f" and bias {found.bias:+.2f}" if found.bias else ""
    return f"temperature {found.temperature:.2f}{bias}"


def _sentences(found: JudgementOut) -> Iterator[str]:
    if found.raw is None or found.calibrated is None:
        yield "No validation photo could be used: its answers are not calibrated."
        return
    yield (
        f"Calibration error {_margin(found.raw)} before and {_margin(found.calibrated)} after calibration at "
        f"{_way(found)}, on {found.photos} photos; up to {found.calibrated.by_chance:.3f} "
        "may be chance."
    )
    if found.refused is not None:
        yield (
            f"{found.refused:.1%} of the validation photos are taken for unknown, where "
            f"{found.refused_asked:.1%} are asked for."
        )
    if found.poor is not None:
        yield _of_poor(found.poor)
    for one in found.coverages:
        yield (
            f"Sets for a coverage of {one.asked:.0%} held the true breed in {one.found:.1%} and have "
            f"{one.mean_size:.2f} breeds in the mean."
        )


def _of_poor(poor: PoorPhotosOut) -> str:
    weight, wanted = f"{poor.weight:g}", f"{poor.refused_wanted:.0%}"
    if poor.blurred is None or poor.noisy is None:
        return f"Too few validation photos to choose a weight of blur and noise by: the usual one, {weight}, is used."
    found = f"{poor.blurred:.1%} of them are when blurred and {poor.noisy:.1%} when noisy"
    if poor.choice == "reached":
        return f"{found}, at most {wanted} are wanted: blur and noise have weight {weight}."
    return f"{found}. No weight of blur and noise brings both to the {wanted} that are wanted: {weight} is used."


def _margin(error: CalibrationErrorOut) -> str:
    return f"{error.ece:.3f} ({error.low:.3f} to {error.high:.3f})"
