"""The phases of a training: one schedule each, as it is asked for and as it is trained."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ml.config_augment import SHARE
from ml.config_rules import Divisor, LrMax, Strict, refusal

LR_MAX = "highest learning rate; a pair spreads it from the first layers to the head, auto: a search finds it"
GROUPS = 3
"""Every architecture is cut into three parameter groups: early body, late body, head."""

GroupRates = tuple[float, float, float]


class Phase(Strict):
    """One one-cycle schedule with the body frozen or not."""

    freeze: bool = Field(description="train the head alone and leave the pretrained body as it is")
    epochs: int = Field(ge=1, le=1000, description="times that the phase goes through all training photos")
    lr_max: LrMax = Field(3e-3, description=LR_MAX)
    pct_start: float = Field(
        0.25, gt=0, lt=1, description="part of the phase in which the rate rises", json_schema_extra=SHARE
    )
    div: Divisor = Field(25.0, description="the phase begins at the highest rate divided by this")
    div_final: Divisor = Field(1e5, description="the phase ends at the highest rate divided by this")

    @model_validator(mode="after")
    def _pair_is_ordered(self) -> Self:
        check_pair(self.lr_max)
        return self


class ResolvedPhase(Strict):
    """A phase with one maximal learning rate for each parameter group.

    Where ``auto`` is set, ``lr_max`` holds multiples of a rate that a sweep finds: at this phase's start (``find``),
    or the one that an earlier phase found (``found``).
    """

    freeze: bool
    epochs: int
    lr_max: GroupRates
    auto: Literal["find", "found"] | None = None
    pct_start: float
    div: float
    div_final: float
    momentum: tuple[float, float, float] = (0.95, 0.85, 0.95)

    def at_rate(self, rate: float) -> "ResolvedPhase":
        """The phase with its multiples turned into rates."""
        early, late, head = self.lr_max
        return self.model_copy(update={"lr_max": (early * rate, late * rate, head * rate), "auto": None})


def resolve_phase(phase: Phase) -> ResolvedPhase:
    """Spread a phase's rate over the groups: a number is every group's, a pair is first to last."""
    auto = phase.lr_max == "auto"
    return ResolvedPhase(
        freeze=phase.freeze,
        epochs=phase.epochs,
        lr_max=_group_rates(1.0 if phase.lr_max == "auto" else phase.lr_max),
        auto="find" if auto else None,
        pct_start=phase.pct_start,
        div=phase.div,
        div_final=phase.div_final,
    )


def _group_rates(lr_max: float | tuple[float, float]) -> GroupRates:
    return spread_rates(*lr_max) if isinstance(lr_max, tuple) else (lr_max, lr_max, lr_max)


def spread_rates(first: float, last: float) -> GroupRates:
    """Geometric spread over the three groups: first, √(first·last), last."""
    early, late, head = even_mults(first, last, GROUPS)
    return early, late, head


def even_mults(first: float, last: float, n: int) -> list[float]:
    """Log-stepped values, first·(last/first)^(i/(n-1)); for n = 1 the last (workflow-spec 6)."""
    if n == 1:
        return [last]
    return [first * (last / first) ** (i / (n - 1)) for i in range(n)]


def check_pair(lr_max: float | tuple[float, float] | str) -> None:
    """Refuse a pair of rates that falls towards the head."""
    if isinstance(lr_max, tuple) and lr_max[0] > lr_max[1]:
        early, late = lr_max
        hint = f"Give the early layers' rate first: [{late}, {early}]."
        raise refusal(f"it falls from {early} to {late}", hint, field="lr_max")
