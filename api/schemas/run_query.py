"""Which runs a list is to have, as its query says it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.schemas.describing import MOST_TAGS, Tag
from api.schemas.fields import ArchName, Cursor, DatasetName, Id, Limit, Text
from api.schemas.jobs import RunKind
from ml.config import refusal
from store.db.run_list import Order, RunQuery, Sort
from store.states import State

MOST_WORDS = 8


def _few_words(text: str) -> str:
    count = len(text.split())
    if count > MOST_WORDS:
        raise refusal(f"it has {count} words", f"Search for {MOST_WORDS} words at most.")
    return text


class RunFilters(BaseModel):
    """The filters and the order of the list of runs."""

    model_config = ConfigDict(frozen=True)

    kind: RunKind | None = None
    state: State | None = None
    dataset: DatasetName | None = None
    arch: ArchName | None = None
    tag: list[Tag] = Field([], max_length=MOST_TAGS, description="runs that have it; given again, all of them")
    error_below: float | None = Field(
        None, gt=0, le=1, allow_inf_nan=False, description="runs whose error rate is below it"
    )
    study: Id | None = Field(None, description="the trials of this search, by its job")
    q: Annotated[Text, AfterValidator(_few_words)] = Field(
        "",
        max_length=200,
        description="words that all stand in the run's name, note, tags, architecture or dataset, or its number",
    )
    sort: Sort = Field("created", description="runs that lack what they are sorted by come last")
    order: Order | None = Field(None, description="left out: the newest, the best, the quickest or a first")

    def asked(self) -> RunQuery:
        return RunQuery(
            kind=self.kind,
            state=self.state,
            dataset=self.dataset,
            arch=self.arch,
            tags=self.tag,
            error_below=self.error_below,
            study=self.study,
            q=self.q,
            sort=self.sort,
            order=self.order,
        )


class RunListQuery(RunFilters):
    """The same for a page of it."""

    limit: Limit = 50
    cursor: Cursor | None = None
