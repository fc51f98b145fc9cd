"""Datasets, in and out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from api.schemas.fields import Body, DatasetName
from ml.data.label_choice import LABEL_FROM_HELP, MOST_LABEL_FROM
from ml.data.label_rules import MAX_CHARS
from ml.data.manifest import DEFAULT_REGEX, Manifest
from ml.data.near_duplicates import (
    NEAR_BITS,
    Kind,
    TwinCount,
    TwinPair,
    Twins,
    across_split,
    count_pairs,
    with_other_label,
)
from store.db.models import Dataset

NEAR_MISSING = "the dataset was imported before pictures got fingerprints; import it again to compare them"


def _or(value: str) -> JsonDict:
    """What stands for a field that is not sent."""
    return {"default": value}


Builtin = Literal["sample", "oxford-iiit-pet"]
BUILTINS: tuple[Builtin, ...] = get_args(Builtin)


class BuiltinRequest(Body):
    """Bring in a dataset that the project knows: the drawn sample, or the original pet photos by download."""

    name: DatasetName
    builtin: Builtin


class ArchiveForm(Body):
    """The fields beside an uploaded archive: its name, where the label comes from, and how names are written."""

    name: DatasetName
    label_from: Annotated[
        str | SkipJsonSchema[None],
        Field(min_length=1, max_length=MOST_LABEL_FROM, description=LABEL_FROM_HELP, json_schema_extra=_or("name")),
    ] = None
    regex: Annotated[
        str | SkipJsonSchema[None],
        Field(
            min_length=1,
            max_length=MAX_CHARS,
            description="on the file name, with label_from=path on the path; its group is the label. RE2's syntax",
            examples=[r"(.+)_\d+.jpg$"],
            json_schema_extra=_or(DEFAULT_REGEX),
        ),
    ] = None
    by_folder: Annotated[bool, Field(description="the same as label_from=folder")] = False
    merge_labels: Annotated[
        bool, Field(description="make labels one that differ only in case, spaces, hyphens or underscores")
    ] = False
    encoding: Annotated[
        str | SkipJsonSchema[None],
        Field(
            min_length=1,
            max_length=40,
            description="of names that do not say theirs, and of the list of labels, such as cp932; UTF-8 without it",
            json_schema_extra=_or("utf-8"),
        ),
    ] = None


class ArchiveUpload(ArchiveForm):
    """The whole form. Its files are written to disk as they arrive, so that no value of this type is ever made."""

    archive: Annotated[bytes, Field(description="zip or tar of pictures")]
    labels: Annotated[
        bytes, Field(description="a list of labels: filename,label[,split] a line, separated by , ; or tabs")
    ] = b""


class DatasetSummary(BaseModel):
    """A dataset in a list. ``drawn`` is true where the project drew the pictures itself."""

    name: str
    revision: str
    drawn: bool
    items: int
    breeds: int
    created_at: datetime

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """From the record."""
        return cls(**_summary(dataset))


class TwinOut(BaseModel):
    """Equal files, or near-duplicates, whose fingerprints differ in ``distance`` of 128 bits."""

    kind: Kind
    distance: int
    first: str = Field(description="path")
    first_label: str
    second: str = Field(description="path")
    second_label: str

    @classmethod
    def of(cls, pair: TwinPair, manifest: Manifest) -> Self:
        """With the paths and labels of the positions."""
        return cls(**_twin(pair.first, pair.second, pair, manifest))


class CrossingTwinOut(TwinOut):
    """Duplicates on both sides of the split: ``first`` is in training, ``second`` in validation."""

    @classmethod
    def across(cls, pair: TwinPair, manifest: Manifest, valid: frozenset[int]) -> Self:
        """The one in training first."""
        train, held = (pair.second, pair.first) if pair.first in valid else (pair.first, pair.second)
        return cls(**_twin(train, held, pair, manifest))


class TwinsCounted(BaseModel):
    """Pairs by kind: equal files, and near-duplicates, which is null where they are unknown."""

    count: int
    byte: int
    near: int | None


class TwinsListed(TwinsCounted):
    """Pairs by kind, and the first 20 of them: equal files first, then the nearest."""

    examples: list[TwinOut]


class CrossingTwins(TwinsCounted):
    """As TwinsListed, of a split; ``valid_items`` is how many validation pictures have a duplicate in training."""

    valid_items: int
    examples: list[CrossingTwinOut]


class TwinsOut(BaseModel):
    """Pictures that occur twice, under one split."""

    valid_pct: float
    split_seed: int
    near_bits: int = Field(description="bits, of 128, in which the fingerprints of near-duplicates differ at most")
    near_missing: str | None = Field(description="why near-duplicates are unknown")
    complete: bool = Field(description="false where there are so many pairs that counting was given up")
    across_split: CrossingTwins
    labels_differ: TwinsListed
    anywhere: TwinsListed

    @classmethod
    def of(cls, twins: Twins, manifest: Manifest, valid: Sequence[int], *, valid_pct: float, split_seed: int) -> Self:
        """From all pairs, and the validation side's items."""
        crossing, hit = across_split(twins, valid)
        inside = frozenset(valid)
        return cls(
            valid_pct=valid_pct,
            split_seed=split_seed,
            near_bits=NEAR_BITS,
            near_missing=None if twins.near_known else NEAR_MISSING,
            complete=twins.complete,
            across_split=CrossingTwins(
                **_counts(crossing),
                valid_items=hit,
                examples=[CrossingTwinOut.across(pair, manifest, inside) for pair in crossing.examples],
            ),
            labels_differ=_listed(with_other_label(twins, manifest), manifest),
            anywhere=_listed(count_pairs(twins.pairs, twins), manifest),
        )


class DatasetOut(DatasetSummary):
    """A dataset with what its import found; ``twins`` is null where its manifest cannot be read."""

    vocab: list[str]
    label_rule: dict[str, Any]
    summary: Annotated[
        dict[str, Any],
        Field(
            description="items per breed; widths and heights; formats and modes; `disguised`: files whose suffix lies, "
            "with their real format; `exclusions` by code (`no_label`, `not_an_image`, …), with examples; "
            "`split`: items of each side of a given split; `similar_labels`: groups that differ only in case or "
            "spaces; `label_list`: what of a list of labels was not used; `notes`: sentences about the labels"
        ),
    ]
    twins: TwinsOut | None
    twins_missing: str | None = Field(description="why `twins` is null")

    @classmethod
    def with_twins(cls, dataset: Dataset, twins: TwinsOut | None, twins_missing: str | None = None) -> Self:
        """From the record, and what the manifest says."""
        return cls(
            **_summary(dataset),
            vocab=dataset.vocab,
            label_rule=dataset.label_rule,
            summary=dataset.summary,
            twins=twins,
            twins_missing=twins_missing,
        )


class StepOut(BaseModel):
    """What an item is after a step. ``low`` and ``high`` are its least and greatest value."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    does: str
    type: str
    shape: list[int]
    dtype: str | None
    low: float | None
    high: float | None


class CollatedOut(BaseModel):
    """Whether two items make a batch; where not, ``reason`` says why, and ``mend`` what to add."""

    model_config = ConfigDict(from_attributes=True)

    fits: bool
    items: list[int]
    paths: list[str]
    shapes: list[list[int]]
    reason: str | None
    mend: str | None


class ItemSteps(BaseModel):
    """One item through every step from file to model input."""

    dataset: str
    drawn: bool
    item: int
    path: str = Field(description="the item's path in the dataset")
    steps: list[StepOut]
    collated: CollatedOut


def _twin(first: int, second: int, pair: TwinPair, manifest: Manifest) -> dict[str, Any]:
    one, other = manifest.items[first], manifest.items[second]
    return {
        "kind": pair.kind,
        "distance": pair.distance,
        "first": one.path,
        "first_label": one.label,
        "second": other.path,
        "second_label": other.label,
    }


def _counts(found: TwinCount) -> dict[str, Any]:
    return {"count": found.count, "byte": found.byte, "near": found.near}


def _listed(found: TwinCount, manifest: Manifest) -> TwinsListed:
    return TwinsListed(**_counts(found), examples=[TwinOut.of(pair, manifest) for pair in found.examples])


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "revision": dataset.revision,
        "drawn": dataset.drawn,
        "items": dataset.items,
        "breeds": len(dataset.vocab),
        "created_at": dataset.created_at,
    }
