"""What the fields of the configuration are made of: bounded numbers, and the words for a value that is refused."""

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_core import PydanticCustomError

SMALLEST, LARGEST = 1e-30, 1e30
"""Of rates and of what divides them: their products and quotients, and the steps in float32, stay finite."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Mixing = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
"""Both parameters of a Beta distribution; below 1 most shares are near 0 or 1."""


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
Devices = Annotated[
    Annotated[int, Field(ge=1, le=64)] | Literal["all"], _or_say('a whole number of devices from 1 to 64 or "all"')
]
_Side = Annotated[int, Field(ge=32, le=1024)]
TrainSize = Annotated[
    _Side | tuple[_Side, _Side] | Literal["size"],
    _or_say('a whole number of pixels from 32 to 1024, a pair of them (the smaller one first) or "size"'),
]
"""One size, a pair that is grown through, or ``"size"``: as large as what is measured and served."""


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
