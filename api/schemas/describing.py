"""What people write on a run: a name, tags and a note."""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from api.schemas.fields import Body, ShortText, Text
from ml.config import refusal
from store.db.describing import Part

MOST_OF_TAG = 32
MOST_TAGS = 20
MOST_OF_NOTE = 2000
_TAG = re.compile(r"\w[\w./:+-]*")


def tidy_tag(text: str) -> str:
    """A tag as it is kept: small letters, a dash for each gap."""
    tag = "-".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not tag:
        raise refusal("it is empty", "Give a word.")
    if len(tag) > MOST_OF_TAG:
        raise refusal(f"a tag has {MOST_OF_TAG} signs at most", "Give a shorter one, and say the rest in the note.")
    if not _TAG.fullmatch(tag):
        near = re.sub(r"[^\w./:+]+", "-", tag).strip("./:+-")
        instead = f"Type {near}, for example." if near else "Give a word."
        raise refusal("a tag begins with a letter or a digit, and has beside them only . / : + - and _", instead)
    return tag


def _trimmed(text: Any) -> Any:  # noqa: ANN401 - whatever the caller sent
    return text.strip() if isinstance(text, str) else text


def _each_once(tags: list[str]) -> list[str]:
    return sorted(set(tags))


Tag = Annotated[
    Text,
    Field(min_length=1, max_length=200, description="kept in small letters, gaps as dashes", examples=["good"]),
    AfterValidator(tidy_tag),
]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS), AfterValidator(_each_once)]
RunName = Annotated[ShortText, BeforeValidator(_trimmed)]
Note = Annotated[Text, Field(min_length=1, max_length=MOST_OF_NOTE), BeforeValidator(_trimmed)]


class RunChange(Body):
    """What to change; a part that is left out stays as it is."""

    name: RunName | None = Field(None, description="null takes it away", examples=["resnet34 baseline"])
    tags: Tags = Field([], description="all that the run has from now on", examples=[["baseline", "good"]])
    note: Note | None = Field(None, description="null takes it away")

    def parts(self) -> dict[Part, str | list[str] | None]:
        """Those that are given."""
        parts: dict[Part, str | list[str] | None] = {"name": self.name, "tags": self.tags, "note": self.note}
        return {part: value for part, value in parts.items() if part in self.model_fields_set}
