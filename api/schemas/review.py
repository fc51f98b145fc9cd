"""Reviewing labels: the queue, and the corrections."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from api.schemas.fields import Body, PageOut, ShortText
from api.schemas.kept import plain_label
from api.schemas.predictions import Guess
from ml.config import refusal

MOST_CHANGES = 10_000

Source = Literal["doubtful", "top_losses", "unsure", "feedback", "unknown"]


def _number_or_id(value: Any, take: ValidatorFunctionWrapHandler) -> int | UUID:  # noqa: ANN401 - whatever was sent
    """One sentence in place of one for each member of the union."""
    try:
        found: int | UUID = take(value)
    except ValidationError:
        raise refusal("it is neither a position nor an id", "Take `item` as the queue has it.") from None
    return found


SentItem = Annotated[Annotated[int, Field(strict=True, ge=0, lt=2**31)] | UUID, WrapValidator(_number_or_id)]
Label = Annotated[ShortText, AfterValidator(plain_label)]


class ReviewItem(BaseModel):
    """A picture whose label is worth a look."""

    item: int | UUID = Field(
        description="what a correction names it by: its position in this revision, or the id of a kept prediction"
    )
    image: str
    path: str | None = Field(description="null for a photo that was sent to be predicted")
    label: str | None = Field(
        description="the label that it has; of a photo that was sent, what people said it is; null where nobody did"
    )
    label_probability: float | None = Field(description="the model's, of that label; null where it is not known")
    suggested: Guess | None = Field(description="the breed that it may be instead; null where there is no other")
    guesses: list[Guess] = Field(description="the likeliest breeds, five at most")
    reason: Source
    score: float | None = Field(
        description="how much it is worth a look, of 0 to 1; with `top_losses` the loss, null where that is infinite"
    )
    trained_on: bool = Field(description="whether the model has learned from this very picture")


class ReviewPage(PageOut[ReviewItem]):
    """A part of the queue, the ones most worth a look first; what was decided earlier is not in it."""

    dataset: str
    revision: str = Field(description="what corrections name as `base_revision`")
    revision_number: int = Field(description="which of the name's revisions it is, from 1")
    drawn: bool
    vocab: list[str]
    source: Source
    run: int | None = Field(description="whose predictions these are; null for kept predictions")
    side: Literal["validation", "all"] | None = Field(description="the pictures that the run predicted")
    examined: int | None = Field(description="labels that were weighed; null for kept predictions")
    waiting: int | None = Field(description="pictures in the queue in all; null for kept predictions")
    wrong: float | None = Field(
        description="how many of the examined labels are wrong, as confident learning estimates it; null otherwise"
    )


class Change(Body):
    """What is to become of one picture. A photo that was sent becomes an item where it is kept or relabelled."""

    item: SentItem
    action: Literal["relabel", "drop", "keep"] = Field(
        description="another label; not an item any more; or the label is right, which is remembered"
    )
    label: Label | None = Field(None, description="the new label, with relabel")

    @model_validator(mode="after")
    def _has_a_label_for_relabelling(self) -> Self:
        if (self.label is not None) != (self.action == "relabel"):
            hint = "Name the breed." if self.label is None else "Leave it out, or send the action relabel."
            detail = f"{'it is missing' if self.label is None else 'there is one'} with {self.action}"
            raise refusal(detail, hint, field="label")
        return self


class Corrections(Body):
    """What people decided about the pictures of a revision."""

    base_revision: ShortText = Field(description="the revision that they looked at; it has to be the current one")
    changes: list[Change] = Field(min_length=1, max_length=MOST_CHANGES, fail_fast=True)
    reviewer: Label | None = Field(None, description="who decided it, kept with each change", examples=["Ada"])
    new_labels: bool = Field(False, description="take breeds too that the dataset does not have")


class LabelNextItem(BaseModel):
    """A picture to label next."""

    path: str
    item: int | None = Field(description="its position, where the pictures are a dataset's")
    label: str | None = Field(description="the label that it has there; null where the pictures have none")
    image: str | None = Field(description="where the picture itself is; null where it is not kept any more")
    guesses: list[Guess] = Field(description="the likeliest breeds, five at most")
    margin: float = Field(description="how much the first guess is ahead of the second")


class LabelNext(BaseModel):
    """The pictures of a predict job that are worth labelling first."""

    job: int
    by: Literal["uncertain", "different"]
    measured_on: Literal["probabilities"] = Field(
        description="what the difference is taken of; a predict job keeps no features"
    )
    of: int = Field(description="pictures that have probabilities")
    dataset: str | None = Field(description="whose pictures these are; null for an archive")
    revision: str | None = Field(description="of the dataset: what corrections name as `base_revision`")
    upload: str | None = Field(description="the upload that the pictures lie in, while it is kept; null otherwise")
    vocab: list[str] = Field(description="the breeds that the model knows")
    items: list[LabelNextItem]


def guesses_of(found: Iterable[tuple[str, float]]) -> list[Guess]:
    """Breeds with their probabilities."""
    return [Guess(breed=breed, probability=probability) for breed, probability in found]
