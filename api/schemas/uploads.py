"""Uploads that are taken up again, and label rules that are tried before an import."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.datasets import EncodedRuleFields, RuleFields
from ml.data.given_split import Side

MOST_NAMES = 1500
"""Of a request: a body of JSON may have some two thousand parts."""

Name = Annotated[str, Field(min_length=1, max_length=1000)]


class UploadOut(BaseModel):
    """An upload as it stands: ``offset`` of ``length`` bytes have come."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str = Field(description="of the file, as the client tells it; empty where it does not")
    length: int = Field(description="bytes in all")
    offset: int = Field(description="bytes that are on the service's disk")
    created_at: datetime
    expires_at: datetime = Field(description="when it is removed unless more of it comes")
    job: int | None = Field(description="the import that it has become")


class RuleOnNames(RuleFields):
    """Try a rule on names."""

    names: Annotated[list[Name], Field(min_length=1, max_length=MOST_NAMES, description="paths below a folder")]


class RuleOnUpload(EncodedRuleFields):
    """Try a rule on the names in an upload."""


class LabelCount(BaseModel):
    """A label and its photos."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    count: int


class LabelledName(BaseModel):
    """A photo's path with what the rule makes of it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    label: str
    split: Side | None


class UnlabelledName(BaseModel):
    """A photo's path that gets no label, and why."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    why: str


class RuleTrialOut(BaseModel):
    """What a rule makes of names, before any file is looked into."""

    model_config = ConfigDict(from_attributes=True)

    photos: int = Field(description="names that end like a photo's, without hidden ones")
    others: int = Field(description="other names, which an import leaves out")
    complete: bool = Field(description="false where there was no time or room to read all names")
    labelled: int
    unlabelled: int
    labels: int = Field(description="different ones")
    counts: list[LabelCount] = Field(description="the most frequent labels first, 200 at most")
    examples: list[LabelledName] = Field(description="of different labels first, 20 at most")
    without_label: list[UnlabelledName] = Field(description="20 at most")
    similar: list[list[str]] = Field(
        description="labels that differ only in case, spaces, hyphens or underscores: 20 groups at most, 20 of each"
    )
    split: dict[Side, int] | None = Field(description="photos of each side, where the names give a split")
    notes: list[str] = Field(description="sentences about the labels")
