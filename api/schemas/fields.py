"""Types of single fields that several requests share, and the page of a list."""

import re
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_ID = 2**31 - 1
"""Postgres' INTEGER."""

ItemT = TypeVar("ItemT")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _storable(text: str) -> str:
    """Postgres holds neither NUL nor half a surrogate pair in a text."""
    if _UNSTORABLE.search(text):
        message = "must not contain a NUL character or half a surrogate pair"
        raise ValueError(message)
    return text


Id = Annotated[int, Field(ge=1, le=MAX_ID)]
SentId = Annotated[Id, Field(strict=True)]
"""In a body, where true is no 1."""
Text = Annotated[str, AfterValidator(_storable)]
ShortText = Annotated[Text, Field(min_length=1, max_length=200)]
DatasetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", examples=["oxford-iiit-pet"])]
AliasName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,63}$", description="begins with a letter", examples=["production"]),
]
ArchName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$", examples=["resnet34"])]
Limit = Annotated[int, Field(ge=1, le=200, description="items on a page")]
Cursor = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:=+-]{1,200}$", description="`next_cursor` of the page before")]


class Body(BaseModel):
    """A request body: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageOut(BaseModel, Generic[ItemT]):
    """A page of a list; ``next_cursor`` is null on the last."""

    items: list[ItemT]
    next_cursor: str | None
