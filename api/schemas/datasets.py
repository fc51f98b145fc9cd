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
    DuplicatePair,
    Kind,
    NearDuplicates,
    PairCount,
    across_split,
    count_pairs,
    with_other_label,
)
from store.db.models import Dataset

NEAR_MISSING = "the dataset was imported before images got perceptual hashes; import it again to compare them"


def _or(value: str) -> JsonDict:
    """What stands for a field that is not sent."""
    return {"default": value}


Builtin = Literal["sample", "oxford-iiit-pet"]
BUILTINS: tuple[Builtin, ...] = get_args(Builtin)


class BuiltinRequest(Body):
    """Bring in a dataset that the project knows: the drawn sample, or the original pet photos by download."""

    name: DatasetName
    builtin: Builtin


class RuleFields(Body):
    """How a path says its label."""

    label_from: Annotated[
        Annotated[str, Field(min_length=1, max_length=MOST_LABEL_FROM)] | SkipJsonSchema[None],
        Field(description=LABEL_FROM_HELP, json_schema_extra=_or("name")),
    ] = None
    regex: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_CHARS)] | SkipJsonSchema[None],
        Field(
            description="on the file name, with label_from=path on the path; its group is the label. RE2's syntax",
            examples=[r"(.+)_\d+.jpg$"],
            json_schema_extra=_or(DEFAULT_REGEX),
        ),
    ] = None
    by_folder: Annotated[bool, Field(description="the same as label_from=folder")] = False
    merge_labels: Annotated[
        bool, Field(description="make labels one that differ only in case, spaces, hyphens or underscores")
    ] = False


class EncodedRuleFields(RuleFields):
    """The same for an archive, whose names may be in an encoding that they do not tell."""

    encoding: Annotated[
        Annotated[str, Field(min_length=1, max_length=40)] | SkipJsonSchema[None],
        Field(
            description="of names that do not say theirs, and of the list of labels, such as cp932; UTF-8 without it",
            json_schema_extra=_or("utf-8"),
        ),
    ] = None


class ArchiveForm(EncodedRuleFields):
    """The fields beside an archive: the dataset's name, where the label comes from, and how names are written."""

    name: DatasetName
    upload: Annotated[
        Annotated[str, Field(min_length=1, max_length=64)] | SkipJsonSchema[None],
        Field(description="in place of `archive`: the id of an upload that has come whole (POST /uploads)"),
    ] = None
    add: Annotated[
        bool, Field(description="add the photos to the dataset of this name, which is there; else they take its place")
    ] = False
    keep_upload: Annotated[
        bool, Field(description="keep the upload, for photos that got no label yet; else the import takes it over")
    ] = False


class ArchiveUpload(ArchiveForm):
    """The whole form. Its files are written to disk as they arrive, so that no value of this type is ever made."""

    archive: Annotated[bytes, Field(description="zip or tar of images; or else give `upload`")] = b""
    labels: Annotated[
        bytes, Field(description="a list of labels: filename,label[,split] a line, separated by , ; or tabs")
    ] = b""


class DatasetSummary(BaseModel):
    """A dataset in a list. ``drawn`` is true where the project drew the images itself."""

    name: str
    revision: str
    revision_number: int = Field(description="which of the name's revisions it is, from 1")
    drawn: bool
    items: int
    breeds: int
    fewest: int | None = Field(description="items of the breed that has the fewest")
    most: int | None = Field(description="items of the breed that has the most")
    runs: int = Field(description="made with any of its revisions")
    created_at: datetime

    @classmethod
    def of(cls, dataset: Dataset, runs: int) -> Self:
        counts = _counts(dataset)
        return cls(
            name=dataset.name,
            revision=dataset.revision,
            revision_number=dataset.revision_number,
            drawn=dataset.drawn,
            items=dataset.items,
            breeds=len(dataset.vocab),
            fewest=min(counts, default=None),
            most=max(counts, default=None),
            runs=runs,
            created_at=dataset.created_at,
        )


class PairOut(BaseModel):
    """Equal files, or near-duplicates, whose perceptual hashes differ in ``distance`` of 128 bits."""

    kind: Kind
    distance: int
    first: str = Field(description="path")
    first_label: str
    first_item: int = Field(description="position in the dataset, from 0")
    second: str = Field(description="path")
    second_label: str
    second_item: int = Field(description="position in the dataset, from 0")

    @classmethod
    def of(cls, pair: DuplicatePair, manifest: Manifest, *, turned: bool = False) -> Self:
        """With the paths and labels of the positions; ``turned`` has the second one first."""
        places = (pair.second, pair.first) if turned else (pair.first, pair.second)
        first, second = (manifest.items[place] for place in places)
        return cls(
            kind=pair.kind,
            distance=pair.distance,
            first=first.path,
            first_label=first.label,
            first_item=places[0],
            second=second.path,
            second_label=second.label,
            second_item=places[1],
        )


class CrossingPairOut(PairOut):
    """Duplicates on both sides of the split: ``first`` is in training, ``second`` in validation."""


class PairsCounted(BaseModel):
    """Pairs by kind: equal files, and near-duplicates, which is null where they are unknown."""

    count: int
    byte: int
    near: int | None


class PairsListed(PairsCounted):
    """Pairs by kind, and the first 20 of them: equal files first, then the nearest."""

    examples: list[PairOut]


class CrossingPairs(PairsCounted):
    """As PairsListed, of a split; ``valid_items`` is how many validation items have a duplicate in training."""

    valid_items: int
    examples: list[CrossingPairOut]


class NearDuplicatesOut(BaseModel):
    """Images that occur twice, under one split."""

    valid_pct: float
    split_seed: int
    near_bits: int = Field(description="bits, of 128, in which the perceptual hashes of near-duplicates differ at most")
    near_missing: str | None = Field(description="why near-duplicates are unknown")
    complete: bool = Field(description="false where there are so many pairs that counting was given up")
    across_split: CrossingPairs
    labels_differ: PairsListed
    anywhere: PairsListed

    @classmethod
    def of(
        cls, found: NearDuplicates, manifest: Manifest, valid: Sequence[int], *, valid_pct: float, split_seed: int
    ) -> Self:
        """From all pairs, and the validation side's items."""
        crossing, hit = across_split(found, valid)
        inside = frozenset(valid)
        return cls(
            valid_pct=valid_pct,
            split_seed=split_seed,
            near_bits=NEAR_BITS,
            near_missing=None if found.near_known else NEAR_MISSING,
            complete=found.complete,
            across_split=CrossingPairs(
                count=crossing.count,
                byte=crossing.byte,
                near=crossing.near,
                valid_items=hit,
                examples=[
                    CrossingPairOut.of(pair, manifest, turned=pair.first in inside) for pair in crossing.examples
                ],
            ),
            labels_differ=_listed(with_other_label(found, manifest), manifest),
            anywhere=_listed(count_pairs(found.pairs, found), manifest),
        )


class MadeFrom(BaseModel):
    """The revision that a review made this one of, and how many labels it changed."""

    revision: str
    job: int
    relabelled: int
    dropped: int
    kept: int = Field(description="labels that were said to be right")
    added: int = Field(description="photos that were sent to be predicted and became items")


class DatasetOut(DatasetSummary):
    """A dataset with what its import found; ``near_duplicates`` is null where its manifest cannot be read."""

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
    made_from: MadeFrom | None = Field(description="null where no review made it")
    near_duplicates: NearDuplicatesOut | None
    near_duplicates_missing: str | None = Field(description="why `near_duplicates` is null")

    @classmethod
    def with_near_duplicates(
        cls,
        dataset: Dataset,
        runs: int,
        near_duplicates: NearDuplicatesOut | None,
        near_duplicates_missing: str | None = None,
    ) -> Self:
        """From the record, and what the manifest says."""
        return cls(
            **DatasetSummary.of(dataset, runs).model_dump(),
            vocab=dataset.vocab,
            label_rule=dataset.label_rule,
            summary=dataset.summary,
            made_from=None if dataset.made_from is None else MadeFrom.model_validate(dataset.made_from),
            near_duplicates=near_duplicates,
            near_duplicates_missing=near_duplicates_missing,
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
    """Whether two items make a batch; where not, ``reason`` says why, and ``fix`` what to add."""

    model_config = ConfigDict(from_attributes=True)

    fits: bool
    items: list[int]
    paths: list[str]
    shapes: list[list[int]]
    reason: str | None
    fix: str | None


class ItemSteps(BaseModel):
    """One item through every step from file to model input."""

    dataset: str
    drawn: bool
    item: int
    path: str = Field(description="the item's path in the dataset")
    steps: list[StepOut]
    collated: CollatedOut


def _counts(dataset: Dataset) -> list[int]:
    return list(dataset.summary.get("per_breed", {}).values())


def _listed(found: PairCount, manifest: Manifest) -> PairsListed:
    examples = [PairOut.of(pair, manifest) for pair in found.examples]
    return PairsListed(count=found.count, byte=found.byte, near=found.near, examples=examples)
