"""The training configuration: one definition is the HTTP schema, the worker's input and the record.

Imports no torch, so that the API and the command can use it. Names and defaults are the workflow's own
(workflow of the fastai book, chapter 5).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

LossName = Literal["cross_entropy", "binary_cross_entropy"]
GROUPS = 3
"""Every architecture is cut into three parameter groups: early body, late body, head."""

SMALLEST, LARGEST = 1e-30, 1e30
"""Of rates and of what divides them: their products and quotients, and the steps in float32, stay finite."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
GroupRates = tuple[float, float, float]


def refusal(detail: str, hint: str, **about: str | float) -> PydanticCustomError:
    """What a validator raises: pydantic hands ``detail``, ``hint`` and the rest on, in the context of its error.

    Args:
        detail: what went wrong, as said of the field: "it is larger than presize 224".
        hint: the one thing to change, a sentence.
        about: where the rule is an object's, ``field``, the name of the one at fault, and ``value``, what it has.
    """
    return PydanticCustomError("refused", "{detail}", {"detail": detail, "hint": hint, **about})


def _or_say(demand: str) -> WrapValidator:
    """One sentence for a value that is not taken: for a union in place of one for each member."""

    def check(value: Any, take: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - whatever the caller sent
        try:
            return take(value)
        except ValidationError:
            raise refusal(f"it is not {demand}", f"Give {demand}.") from None

    return WrapValidator(check)


Rate = Annotated[float, Field(ge=SMALLEST, le=LARGEST, allow_inf_nan=False), _or_say("a rate from 1e-30 to 1e30")]
Divisor = Annotated[float, Field(ge=1, le=LARGEST, allow_inf_nan=False), _or_say("a number from 1 to 1e30")]
AutoRate = Annotated[Rate | Literal["auto"], _or_say('a rate from 1e-30 to 1e30 or "auto"')]
LrMax = Annotated[
    Rate | tuple[Rate, Rate] | Literal["auto"],
    _or_say('a rate from 1e-30 to 1e30, a pair of them (the early layers\' first) or "auto"'),
]
"""One rate for every group, a pair spread from the first group to the last, or ``"auto"``: a sweep finds it."""


class Strict(BaseModel):
    """Immutable; an unknown field is an error, not a silent default, and true is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, about: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the caller sent
        """Pydantic would take it for 1, in a list too."""
        values = value if isinstance(value, list | tuple) else [value]
        has_truth = any(isinstance(one, bool) for one in values)
        if has_truth and not _takes_truth(cls.model_fields[str(about.field_name)].annotation):
            raise refusal("it is true or false, which is no value here", "Give a value of its own.")
        return value


def _takes_truth(kind: object) -> bool:
    return kind in {bool, Any} or any(_takes_truth(part) for part in get_args(kind) if not isinstance(part, str | bool))


def _all_or_none_named(config: BaseModel, first: str, second: str) -> bool:
    """Whether a rule over two fields can be judged: where one is named, the other may yet be inherited."""
    return len({first, second} & config.model_fields_set) != 1


class Augment(Strict):
    """Random changes of each training picture. Degrees for rotation; the rest are fractions."""

    flip: bool = True
    max_rotate: float = Field(10.0, ge=0, le=180, description="degrees, drawn from ±max_rotate")
    max_zoom: float = Field(1.1, ge=1, le=4)
    max_lighting: float = Field(0.2, ge=0, lt=1)
    max_warp: float = Field(0.2, ge=0, lt=0.5)
    p_affine: Probability = 0.75
    p_lighting: Probability = 0.75


class Phase(Strict):
    """One one-cycle schedule with the body frozen or not."""

    freeze: bool
    epochs: int = Field(ge=1, le=1000)
    lr_max: LrMax = 3e-3
    pct_start: float = Field(0.25, gt=0, lt=1)
    div: Divisor = 25.0
    div_final: Divisor = 1e5

    @model_validator(mode="after")
    def _pair_is_ordered(self) -> Self:
        _check_pair(self.lr_max)
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


class LrSweep(Strict):
    """How a learning rate is searched: mock trainings whose rate rises from step to step (workflow-spec 8)."""

    start_lr: Rate = 1e-7
    end_lr: Rate = 10.0
    steps: int = Field(100, ge=2, le=1000, description="steps of one sweep; below 50 the suggestions see few points")
    sweeps: int = Field(3, ge=1, le=10, description="sweeps, each over other batches; their spread is the doubt")
    stop_early: bool = Field(True, description="end a sweep when its smoothed loss is 4 times its best")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if _all_or_none_named(self, "start_lr", "end_lr") and self.start_lr >= self.end_lr:
            detail, hint = f"it is not below end_lr {self.end_lr}", "Lower start_lr or raise end_lr."
            raise refusal(detail, hint, field="start_lr", value=self.start_lr)
        return self


class TrainSettings(Strict):
    """What every recipe shares. Sizes are in pixels."""

    arch: str = Field("resnet34", min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")
    pretrained: bool = True
    presize: int = Field(460, ge=32, le=1024)
    size: int = Field(224, ge=32, le=1024)
    min_scale: float = Field(0.75, gt=0, le=1)
    augment: Augment = Augment()
    batch_size: int = Field(64, ge=2, le=4096)
    valid_pct: float = Field(0.2, gt=0, lt=1)
    split_seed: int = Field(42, ge=0, lt=2**63)
    split: Literal["given", "random"] = Field(
        "given",
        description="given: the dataset's own split where it has one, else by valid_pct and split_seed; random: always "
        "by these. What a dataset gives for test is never trained or validated on.",
    )
    seed: int = Field(42, ge=0, lt=2**63)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loss: LossName = "cross_entropy"
    weight_decay: float = Field(0.01, ge=0, le=10, allow_inf_nan=False)
    lr_sweep: LrSweep = LrSweep()

    @model_validator(mode="after")
    def _size_fits_presize(self) -> Self:
        if _all_or_none_named(self, "size", "presize") and self.size > self.presize:
            detail, hint = f"it is larger than presize {self.presize}", "Raise presize or lower size."
            raise refusal(detail, hint, field="size", value=self.size)
        return self


class FineTune(TrainSettings):
    """Head first, then everything at half the rate, spread over the groups."""

    recipe: Literal["fine_tune"] = "fine_tune"
    epochs: int = Field(2, ge=1, le=1000)
    freeze_epochs: int = Field(1, ge=0, le=1000)
    base_lr: AutoRate = 2e-3
    lr_mult: Divisor = 100.0

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """The two schedules of fine_tune (workflow-spec 7.3): base_lr is halved for the second.

        With ``"auto"`` the rate is found once, before the first of them. A rate that is given takes the same way from
        multiples to rates, so that the one that was found, given, makes the same run bit for bit.
        """
        auto = self.base_lr == "auto"
        head = ResolvedPhase(
            freeze=True,
            epochs=self.freeze_epochs,
            lr_max=(0.1, 0.1, 1.0),
            auto="find" if auto else None,
            pct_start=0.99,
            div=25.0,
            div_final=1e5,
        )
        whole = ResolvedPhase(
            freeze=False,
            epochs=self.epochs,
            lr_max=spread_rates(0.5 / self.lr_mult, 0.5),
            auto=("found" if self.freeze_epochs else "find") if auto else None,
            pct_start=0.3,
            div=5.0,
            div_final=1e5,
        )
        both = (head, whole) if self.freeze_epochs else (whole,)
        return both if self.base_lr == "auto" else tuple(phase.at_rate(self.base_lr) for phase in both)


class OneCycle(TrainSettings):
    """A single one-cycle schedule, frozen or not."""

    recipe: Literal["one_cycle"]
    epochs: int = Field(3, ge=1, le=1000)
    lr_max: LrMax = 3e-3
    freeze: bool = True

    @model_validator(mode="after")
    def _pair_is_ordered(self) -> Self:
        _check_pair(self.lr_max)
        return self

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """One phase with fastai's fit_one_cycle defaults (workflow-spec 7.2)."""
        return (resolve_phase(Phase(freeze=self.freeze, epochs=self.epochs, lr_max=self.lr_max)),)


class Phases(TrainSettings):
    """Any sequence of phases."""

    recipe: Literal["phases"]
    phases_: tuple[Phase, ...] = Field(alias="phases", min_length=1, max_length=32)

    def phases(self) -> tuple[ResolvedPhase, ...]:
        """Each phase with its rates spread over the groups."""
        return tuple(resolve_phase(phase) for phase in self.phases_)


class LrFind(TrainSettings):
    """A search for a learning rate, on a fresh model or on a run's, with the body frozen or not; trains nothing."""

    freeze: bool = True


class ResolvedConfig(TrainSettings):
    """What a run records and trains: settings and phases, nothing left to choose."""

    recipe: Literal["fine_tune", "one_cycle", "phases"]
    phases: tuple[ResolvedPhase, ...]

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)


def _recipe_of(value: Any) -> str:  # noqa: ANN401 - pydantic hands over whatever the caller sent
    if isinstance(value, dict):
        return str(value.get("recipe", "fine_tune"))
    return str(getattr(value, "recipe", "fine_tune"))


TrainConfig = Annotated[
    Annotated[FineTune, Tag("fine_tune")] | Annotated[OneCycle, Tag("one_cycle")] | Annotated[Phases, Tag("phases")],
    Discriminator(
        _recipe_of,
        custom_error_type="unknown_recipe",
        custom_error_message="it is no recipe",
        custom_error_context={
            "field": "recipe",
            "detail": "it is no recipe",
            "hint": "Give 'fine_tune', 'one_cycle' or 'phases'.",
        },
    ),
]
train_config: TypeAdapter[FineTune | OneCycle | Phases] = TypeAdapter(TrainConfig)


def resolve(config: FineTune | OneCycle | Phases) -> ResolvedConfig:
    """Turn a recipe into the phases it means.

    Raises:
        ValueError: as :func:`complete`.
    """
    config = complete(config)
    shared = {name: getattr(config, name) for name in TrainSettings.model_fields}
    return ResolvedConfig(recipe=config.recipe, phases=config.phases(), **shared)


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


Settings = TypeVar("Settings", bound=TrainSettings)


def complete(config: Settings) -> Settings:
    """The config with its defaults as if they had been named: nothing will be inherited any more.

    Raises:
        ValueError: what is named does not fit a default (pydantic's ``ValidationError``).
    """
    return type(config).model_validate(config.model_dump(by_alias=True))


def inherit(config: Settings, parent: TrainSettings) -> Settings:
    """Give a config that goes on from a run that run's settings wherever it names none of its own.

    The seed is the exception: an unnamed one is the parent's plus one, so that the same draws are not seen again.

    Raises:
        ValueError: what is named does not fit what is inherited (pydantic's ``ValidationError``).
    """
    own = config.model_dump(exclude_unset=True, by_alias=True)
    settings = parent.model_dump(include=set(TrainSettings.model_fields))
    for name in {"augment", "lr_sweep"} & own.keys():
        own[name] = {**settings[name], **own[name]}
    return type(config).model_validate({**settings, "seed": (parent.seed + 1) % 2**63, **own})


def config_of_job(config: Mapping[str, Any]) -> ResolvedConfig | LrFind:
    """A training's config or a search's, from its JSON: only a training's has phases.

    Raises:
        ValueError: it is neither's (pydantic's ``ValidationError``).
    """
    return (ResolvedConfig if "phases" in config else LrFind).model_validate(config)


def _check_pair(lr_max: float | tuple[float, float] | str) -> None:
    if isinstance(lr_max, tuple) and lr_max[0] > lr_max[1]:
        early, late = lr_max
        hint = f"Give the early layers' rate first: [{late}, {early}]."
        raise refusal(f"it falls from {early} to {late}", hint, field="lr_max")
