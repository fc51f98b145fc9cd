"""How versions are run on kinds of machines, and what was measured to choose it."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from ml.serve.choice import Candidate, Choice, recorded_choice
from ml.serve.way import EngineName, InputName, NumberFormat, Way
from store.db.models import ServingChoice


class WayOut(BaseModel):
    """What computes, in which numbers, from which input: exact is validation's own, direct one pass from the file."""

    engine: EngineName
    precision: NumberFormat
    input: InputName
    streams: int = Field(description="passes that run beside each other")

    @classmethod
    def of(cls, way: Way) -> Self:
        """The names in ``ml`` are those of rows that are stored; these are the contract's."""
        return cls(engine=way.engine, precision=way.precision, input=way.input, streams=way.streams)


class MachineOut(BaseModel):
    """How a version is run on machines of a kind; ``way`` is null where the exact way is, and ``reason`` says why."""

    machine: str = Field(examples=["AMD EPYC 9B14, avx512_vnni, 2 cores, torch 2.11.0, openvino 2026.4"])
    way: WayOut | None
    reason: str | None = Field(description="why nothing could be measured")

    @classmethod
    def of(cls, record: ServingChoice) -> Self:
        choice = choice_in(record)
        return cls(machine=record.machine, way=WayOut.of(choice.way) if choice else None, reason=record.reason)


class CandidateOut(BaseModel):
    """A way that was tried. ``top1_equal`` and ``most_moved`` are of the first ``photos`` validation photos."""

    way: WayOut
    images_per_second: float | None = Field(description="of the engine alone, as many at a time as it is best at")
    latency_ms: float | None = Field(description="of one image")
    top1_equal: float | None = Field(description="share of the photos whose first breed is the stored one")
    most_moved: float | None = Field(description="largest difference to a stored probability")
    photos: int
    passed: bool
    problem: str | None = Field(description="why it did not run")

    @classmethod
    def of(cls, one: Candidate) -> Self:
        """The names in ``ml`` are those of rows that are stored; these are the contract's."""
        return cls(
            way=WayOut.of(one.way),
            images_per_second=one.pictures_per_second,
            latency_ms=one.latency_ms,
            top1_equal=one.top1_equal,
            most_moved=one.most_moved,
            photos=one.pictures,
            passed=one.passed,
            problem=one.problem,
        )


class ChoiceOut(MachineOut):
    """The same, with every way that was tried there, quickest first."""

    candidates: list[CandidateOut]
    chosen_at: datetime

    @classmethod
    def of(cls, record: ServingChoice) -> Self:
        choice = choice_in(record)
        return cls(
            machine=record.machine,
            way=WayOut.of(choice.way) if choice else None,
            reason=record.reason,
            candidates=[CandidateOut.of(one) for one in choice.candidates] if choice else [],
            chosen_at=record.created_at,
        )


def choice_in(record: ServingChoice) -> Choice | None:
    """What the record holds; None where it holds nothing that can be read."""
    return recorded_choice(record.version, record.content)
