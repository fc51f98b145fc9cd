"""Types of single fields that several requests share, and the page of a list."""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from ml.config_rules import refusal

MAX_ID = 2**31 - 1
"""Postgres' INTEGER."""

ItemT = TypeVar("ItemT")

MOST_OF_NAME = 64
"""Letters of a dataset's name, or of an alias."""
_SIGNS = "digits, dots, dashes and underscores, 64 at most"
_DATASET_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_ALIAS_PATTERN = r"^[A-Za-z][A-Za-z0-9._-]{0,63}$"
_DATASET = f"begin with a small letter or a digit, and have only small letters, {_SIGNS}"
_ALIAS = f"begin with a letter, and have only letters, {_SIGNS}"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _storable(text: str) -> str:
    """Postgres holds neither NUL nor half a surrogate pair in a text."""
    if _UNSTORABLE.search(text):
        raise refusal("it has a NUL character or half a surrogate pair", "Leave that character out.")
    return text


def in_words(detail: str, hint: str) -> WrapValidator:
    """What to say where a text does not match its pattern, in place of the pattern."""
    return _in_place_of_pattern(lambda _: (detail, hint))


def _name_in_words(pattern: str, demand: str) -> WrapValidator:
    """The same of a name: what it has to do, and the nearest name that does."""

    def tell(text: str) -> tuple[str, str]:
        near = _nearest(text[:MOST_OF_NAME])
        hint = f"Type {near}, for example." if re.match(pattern, near) else "Give another name."
        return f"a name has to {demand}", hint

    return _in_place_of_pattern(tell)


def _in_place_of_pattern(tell: Callable[[str], tuple[str, str]]) -> WrapValidator:
    """``tell`` gives detail and hint for a text that does not match."""

    def check(value: Any, take: ValidatorFunctionWrapHandler) -> str:  # noqa: ANN401 - whatever the caller sent
        try:
            return str(take(value))
        except ValidationError as error:
            if error.errors()[0]["type"] != "string_pattern_mismatch":
                raise
        raise refusal(*tell(str(value)))

    return WrapValidator(check)


def _nearest(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", plain)[:MOST_OF_NAME].strip("-._")


Id = Annotated[int, Field(ge=1, le=MAX_ID)]
SentId = Annotated[Id, Field(strict=True)]
"""In a body, where true is no 1."""
Text = Annotated[str, AfterValidator(_storable)]
ShortText = Annotated[Text, Field(min_length=1, max_length=200)]
DatasetName = Annotated[
    str,
    Field(pattern=_DATASET_PATTERN, examples=["oxford-iiit-pet"]),
    _name_in_words(_DATASET_PATTERN, _DATASET),
]
AliasName = Annotated[
    str,
    Field(pattern=_ALIAS_PATTERN, description="begins with a letter", examples=["production"]),
    _name_in_words(_ALIAS_PATTERN, _ALIAS),
]
ModelName = Annotated[
    str,
    Field(pattern=r"^([A-Za-z][A-Za-z0-9._-]{0,63}|[0-9]{1,18})$", examples=["production", "3"]),
    in_words("it is neither an alias nor the number of a version", "Give one of them, as production or 3."),
]
ArchName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9_]{1,64}$", examples=["resnet34"]),
    in_words("no architecture has such a name", "Give one as resnet34."),
]
Limit = Annotated[int, Field(ge=1, le=200, description="items on a page")]
Cursor = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.:=+-]{1,200}$", description="`next_cursor` of the page before"),
    in_words("it is no cursor", "Take next_cursor of the page before, or leave it out."),
]


class Body(BaseModel):
    """A request body: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageOut(BaseModel, Generic[ItemT]):
    """A page of a list; ``next_cursor`` is null on the last."""

    items: list[ItemT]
    next_cursor: str | None
