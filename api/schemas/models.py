"""Registered model versions and their aliases, in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self, cast

from pydantic import BaseModel, Field

from api.schemas.fields import AliasName, Body, SentId
from api.schemas.judgement import JudgementOut
from api.schemas.ways import ChoiceOut, MachineOut
from store.db.aliases import How, Return, canary_of
from store.db.base import Json
from store.db.models import AliasMove, ModelAlias, ModelVersion, ServingChoice

Share = Annotated[float, Field(ge=0, le=1, strict=True, description="of the requests, 0 to 1", examples=[0.05])]


class RegisterRequest(Body):
    """Register a finished run to be served, and point an alias at it."""

    run: SentId
    alias: AliasName | None = None


class CanaryRequest(Body):
    """A version that answers a share of an alias's requests."""

    version: SentId
    share: Share


class AliasRequest(Body):
    """What an alias points at. A move ends its canary; without one, a canary that is left out goes on."""

    version: SentId
    canary: CanaryRequest | None = None


class ModelOut(BaseModel):
    """A registered version. ``drawn`` is true where it learned from drawn pictures."""

    version: int
    run: int
    arch: str
    dataset: str
    drawn: bool
    error_rate: float | None
    calibration_error: float | None = Field(
        description="of its run's validation photos, after calibration; null where it was not measured"
    )
    aliases: list[str]
    canary_of: list[str] = Field(description="aliases of which it answers a share of the requests")
    machines: list[MachineOut] = Field(description="how it is run on each kind of machine where that was chosen")
    created_at: datetime

    @classmethod
    def of(cls, version: ModelVersion, aliases: Sequence[ModelAlias], choices: Sequence[ServingChoice]) -> Self:
        """From the record: the version, all aliases, and the version's choices."""
        run = version.run
        return cls(
            version=version.id,
            run=run.id,
            arch=run.config["arch"],
            dataset=run.dataset.name,
            drawn=run.dataset.drawn,
            error_rate=run.error_rate,
            calibration_error=_calibration_error(run.judgement),
            aliases=[one.alias for one in aliases if one.version == version.id],
            canary_of=[one.alias for one in aliases if one.canary_version == version.id],
            machines=[MachineOut.of(one) for one in choices],
            created_at=version.created_at,
        )


def _calibration_error(judgement: Json | None) -> float | None:
    found = JudgementOut.of(judgement)
    return found.calibrated.ece if found is not None and found.calibrated is not None else None


class ModelDetail(ModelOut):
    """The same, with what was measured to choose how it is run on each kind of machine."""

    choices: list[ChoiceOut]

    @classmethod
    def of_choices(cls, version: ModelVersion, aliases: Sequence[ModelAlias], choices: Sequence[ServingChoice]) -> Self:
        out = ModelOut.of(version, aliases, choices)
        return cls(**out.model_dump(), choices=[ChoiceOut.of(one) for one in choices])


class CanaryOut(BaseModel):
    """A version that answers a share of an alias's requests."""

    version: int
    share: float


class AliasOut(BaseModel):
    """An alias and what it points at."""

    alias: str
    version: int
    canary: CanaryOut | None
    before: int | None = Field(description="the version that rolling back leads to")

    @classmethod
    def of(cls, alias: ModelAlias, before: Return | None) -> Self:
        canary = canary_of(alias)
        return cls(
            alias=alias.alias,
            version=alias.version,
            canary=CanaryOut(version=canary.version, share=canary.share) if canary else None,
            before=before.version if before else None,
        )


class MoveOut(BaseModel):
    """A change of what an alias points at; ``version`` is null where it was removed."""

    how: How
    version: int | None
    at: datetime

    @classmethod
    def of(cls, move: AliasMove) -> Self:
        return cls(how=cast("How", move.how), version=move.version, at=move.created_at)
