"""What a search over settings is asked: which fields it varies, how, and how much it may take. Imports no optuna."""

from collections.abc import Iterator, Mapping
from functools import cache
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from ml.config import FineTune, OneCycle, Phases, Probe, TrainConfig, resolve, train_config
from ml.config_fields import ConfigField, fields_of
from ml.config_rules import Strict, refusal

MOST_FIELDS = 12
MOST_CHOICES = 50
MOST_TRIALS = 200
MOST_MINUTES = 7 * 24 * 60

Pruner = Literal["median", "hyperband", "none"]
Objective = Literal["error_rate", "valid_loss", "macro_error"]
Config = FineTune | OneCycle | Probe | Phases
Setting = JsonValue

NOT_SEARCHED = {
    "recipe": "its fields differ: search each recipe by itself",
    "split": "trials would be measured on other photos",
    "valid_pct": "trials would be measured on other photos",
    "split_seed": "trials would be measured on other photos",
    "seed": "the best seed is luck, and the next run has none",
    "phases": "a list has no single value to try",
}
"""Fields that stay the base config's, and why."""


class Range(Strict):
    """Numbers from ``low`` to ``high``, both included."""

    low: float = Field(allow_inf_nan=False, description="the smallest number to try")
    high: float = Field(allow_inf_nan=False, description="the largest number to try")
    log: bool = Field(False, description="try each power of ten as often as the next, as for learning rates")
    step: float | None = Field(None, gt=0, allow_inf_nan=False, description="try only low, low + step, and so on")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low >= self.high:
            raise refusal(
                f"it is not below high {self.high:g}", "Lower low or raise high.", field="low", value=self.low
            )
        if self.log and self.low <= 0:
            raise refusal(
                "no power of ten reaches it", "Give more than 0, or leave log out.", field="low", value=self.low
            )
        if self.step is not None and self.log:
            raise refusal("steps are even, and log is not", "Leave step or log out.", field="step", value=self.step)
        if self.step is not None and self.low + self.step > self.high:
            raise refusal("it leads beyond high", "Give a smaller step.", field="step", value=self.step)
        return self


def _one_of_two(value: Any, take: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - whatever the caller sent
    """One sentence where it is neither a list nor an object."""
    if not isinstance(value, dict | list | tuple | Range):
        raise refusal(
            "it is neither a list nor a range", 'Give [128, 160] or {"low": 1e-4, "high": 1e-2, "log": true}.'
        )
    return take(value)


def _form_of(value: Any) -> str:  # noqa: ANN401 - whatever the caller sent
    return "choices" if isinstance(value, list | tuple) else "range"


Choices = Annotated[list[Setting], Field(min_length=2, max_length=MOST_CHOICES)]
Domain = Annotated[
    Annotated[Choices, Tag("choices")] | Annotated[Range, Tag("range")],
    Discriminator(_form_of),
    WrapValidator(_one_of_two),
]
Space = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Domain], Field(min_length=1, max_length=MOST_FIELDS)
]


class Limits(Strict):
    """What a trial has to keep to be the best."""

    train_minutes: float | None = Field(
        None, gt=0, le=MOST_MINUTES, description="minutes that a trial may train; one that takes longer is ended"
    )
    answer_ms: float | None = Field(
        None, gt=0, le=60_000, description="milliseconds that its model may take to answer one photo, on the worker"
    )


class StudyPlan(BaseModel):
    """A search, as it is carried out. ``seed`` decides which settings are tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: TrainConfig = Field(FineTune(), description="what every trial has where the space names nothing else")
    space: Space = Field(
        description="by the dotted name of each field that is searched: a list of its values, or a range of numbers"
    )
    trials: int = Field(20, ge=1, le=MOST_TRIALS, description="how many settings are tried at most")
    minutes: float = Field(
        60.0, gt=0, le=MOST_MINUTES, description="after so long it ends, and a trial that still goes on is ended"
    )
    pruner: Pruner = Field(
        "median",
        description="median: end a trial that is worse than half of those before it were after as many epochs; "
        "hyperband: only the best third goes on, again and again; none: each trial trains to its end",
    )
    objective: Objective = Field(
        "error_rate", description="what is sought to be low; macro_error: the mean of each breed's error rate"
    )
    limits: Limits = Field(Limits(), description="what a trial has to keep to be the best")
    seed: int = Field(42, ge=0, lt=2**31, description="decides which settings are tried")
    at_once: int = Field(1, ge=1, le=8, description="trials that are under way at once, where there are workers")
    register_best: bool = Field(True, description="make the best trial's run a version, without an alias: a candidate")

    @field_validator("trials", "minutes", "seed", "at_once", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the caller sent
        """As ``Strict`` has it for all of its fields, which a request's ``kind`` cannot be one of."""
        if isinstance(value, bool):
            raise refusal("it is true or false, which is no value here", "Give a number.")
        return value


class SpaceRefused(ValueError):
    """A field of the space cannot be searched; the sentences are as those of a rule of the config."""

    def __init__(self, name: str, detail: str, hint: str, value: Any = None) -> None:  # noqa: ANN401 - as it was sent
        super().__init__(detail)
        self.name, self.detail, self.hint, self.value = name, detail, hint, value


class DoesNotFit(ValueError):
    """Settings of a trial that the config's rules refuse together."""


def check_space(config: Config, space: Mapping[str, list[Setting] | Range], objective: Objective) -> None:
    """Hold the space against the one definition of the config.

    A value that only does not fit another field's is let pass where that field is searched too: such a trial is
    refused by itself.

    Raises:
        SpaceRefused: a field is none, must not be searched, or takes no such value.
    """
    known = {field.name: field for field in fields_of(type(config))}
    for name, domain in space.items():
        _check_name(name, known, objective)
        if isinstance(domain, Range):
            _check_range(known[name], domain)
        for value in [domain.low, domain.high] if isinstance(domain, Range) else domain:
            _check_value(config, known[name], _whole(known[name], value), alone=len(space) == 1)
        if not isinstance(domain, Range):
            _check_different(name, domain)


def config_with(config: Config, settings: Mapping[str, Setting]) -> Config:
    """The config with a trial's settings in place of its own.

    Raises:
        DoesNotFit: the config's rules refuse them together.
    """
    try:
        return train_config.validate_python(_changed(config, settings))
    except ValidationError as error:
        raise DoesNotFit(_said(error)) from None


def value_of(config: Config, name: str) -> Setting:
    """What the config has in a field, by its dotted name."""
    inside: Any = config.model_dump(mode="json", by_alias=True)
    for part in name.split("."):
        inside = inside[part]
    found: Setting = inside
    return found


def is_whole(config: Config, name: str) -> bool:
    """Whether a field takes whole numbers alone."""
    return name in _whole_fields(type(config))


@cache
def _whole_fields(model: type[Config]) -> frozenset[str]:
    """Reading them out of a model takes 20 ms, and each question to optuna wants them a hundred times."""
    return frozenset(field.name for field in fields_of(model) if field.type == "whole number")


def most_epochs(plan: StudyPlan) -> int:
    """Of the longest trial that the plan allows."""
    longest: dict[str, Setting] = {
        name: _largest(plan.space[name]) for name in ("epochs", "freeze_epochs") if name in plan.space
    }
    return resolve(config_with(plan.config, longest)).epochs


def _largest(domain: list[Setting] | Range) -> int:
    return int(domain.high) if isinstance(domain, Range) else max(int(str(one)) for one in domain)


def combinations(space: Mapping[str, list[Setting] | Range]) -> int | None:
    """How many settings there are; None where a range has no end of them."""
    if any(isinstance(domain, Range) for domain in space.values()):
        return None
    return prod(len(domain) for domain in space.values() if isinstance(domain, list))


def _check_name(name: str, known: Mapping[str, ConfigField], objective: Objective) -> None:
    top = name.partition(".")[0].partition("[")[0]
    if top in NOT_SEARCHED:
        raise SpaceRefused(name, f"it is not searched: {NOT_SEARCHED[top]}", "Leave it out; set it in config.")
    if name == "loss" and objective == "valid_loss":
        raise SpaceRefused(name, "losses of two kinds cannot be compared", "Search for error_rate instead.")
    if name not in known:
        raise SpaceRefused(name, "it is no field of this recipe", _near(name, known))


def _near(name: str, known: Mapping[str, ConfigField]) -> str:
    below = [one for one in known if one.startswith(f"{name}.")]
    if below:
        return f"Name one of its own fields, as {below[0]}."
    same = [one for one in known if one.rpartition(".")[2] == name]
    return f"Did you mean {same[0]}?" if same else "Name a field as GET /config lists it."


def _check_range(field: ConfigField, domain: Range) -> None:
    if field.type not in {"number", "whole number"}:
        raise SpaceRefused(field.name, f"it is a {field.type}, which has no range", "Give a list of its values.")
    ends = (domain.low, domain.high, domain.step or 1.0)
    if field.type == "whole number" and not all(float(end).is_integer() for end in ends):
        raise SpaceRefused(field.name, "it takes whole numbers", "Give whole numbers for low, high and step.")


def _whole(field: ConfigField, value: Setting) -> Setting:
    """A range's ends come as 96.0."""
    is_even = isinstance(value, float) and value.is_integer()
    return int(value) if field.type == "whole number" and is_even and isinstance(value, float) else value


def _check_value(config: Config, field: ConfigField, value: Setting, *, alone: bool) -> None:
    try:
        train_config.validate_python(_changed(config, {field.name: value}))
    except ValidationError as error:
        place = tuple(field.name.split("."))
        faults = error.errors(include_url=False)
        own = [fault for fault in faults if fault["loc"][1 : 1 + len(place)] == place]
        # A rule over several fields stands above them: another of these may fit, where it is searched too.
        if own or alone:
            raise SpaceRefused(field.name, *_words(field, (own or faults)[0]), value) from None


def _words(field: ConfigField, fault: Any) -> tuple[str, str]:  # noqa: ANN401 - pydantic's own
    about = fault.get("ctx", {})
    if "hint" in about:
        return about["detail"], about["hint"]
    return (
        "it takes no such value",
        f"Give {'one of ' + ', '.join(field.choices) if field.choices else _bounds(field)}.",
    )


def _bounds(field: ConfigField) -> str:
    least = field.least if field.least is not None else field.above
    most = field.most if field.most is not None else field.below
    between = f" from {least:g} to {most:g}" if least is not None and most is not None else ""
    return f"a {field.type}{between}"


def _check_different(name: str, values: list[Setting]) -> None:
    seen: list[Setting] = []
    for value in values:
        if value in seen:
            raise SpaceRefused(name, "it has a value twice", "Give each value once.", value)
        seen.append(value)


def _changed(config: Config, settings: Mapping[str, Setting]) -> dict[str, Any]:
    changed = config.model_dump(mode="json", by_alias=True)
    for name, value in settings.items():
        *above, last = name.split(".")
        inside = changed
        for part in above:
            inside = inside[part]
        inside[last] = value
    return changed


def _said(error: ValidationError) -> str:
    return "; ".join(_sentences(error))


def _sentences(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        about = fault.get("ctx", {})
        place = about.get("field") or ".".join(str(part) for part in fault["loc"][1:])
        yield f"{place}: {about.get('detail', fault['msg'])}"
