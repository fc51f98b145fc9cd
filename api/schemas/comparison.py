"""Runs beside each other."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field

from api.schemas.fields import MAX_ID
from api.schemas.runs import RunSummary
from ml.config import refusal
from ml.reading.mcnemar import Outcomes, Verdict
from store.db.answers import AnsweredItem

MOST_RUNS = 6
_FEWEST = 2


def _numbers(text: str, most: int) -> list[int]:
    """The numbers that stand in the text with commas between them."""
    words = text.split(",")
    if not _FEWEST <= len(words) <= most or not all(word.isascii() and word.isdigit() for word in words):
        count = f"{_FEWEST} to {most}" if most > _FEWEST else str(_FEWEST)
        raise refusal(
            f"it is not {count} numbers of runs", f"Give {count} numbers with commas between them, such as 1,2."
        )
    numbers = [int(word) for word in words]
    if any(not 1 <= number <= MAX_ID for number in numbers):
        raise refusal("it has a number that no run can have", f"Give numbers from 1 to {MAX_ID}.")
    if len(set(numbers)) < len(numbers):
        raise refusal("it names a run twice", "Name each run once.")
    return numbers


def _several(text: str) -> str:
    return ",".join(map(str, _numbers(text, MOST_RUNS)))


def _two(text: str) -> str:
    return ",".join(map(str, _numbers(text, _FEWEST)))


def ids_of(runs: str) -> list[int]:
    """The numbers of a list that has been checked."""
    return [int(word) for word in runs.split(",")]


_ABOUT = "numbers of runs with commas between them"
SeveralRuns = Annotated[
    str, Field(max_length=80, description=f"2 to {MOST_RUNS} {_ABOUT}", examples=["1,2"]), AfterValidator(_several)
]
TwoRuns = Annotated[str, Field(max_length=80, description=f"two {_ABOUT}", examples=["1,2"]), AfterValidator(_two)]


class FieldOut(BaseModel):
    """A setting of each of the runs."""

    field: str = Field(description="dotted name; phases count from 0", examples=["phases.0.lr_max"])
    values: list[Any] = Field(description="in the order of the runs; null where a run has no such setting")
    differs: bool


class CurvesOut(BaseModel):
    """A run's table of epochs, a column a figure; ``phase`` and ``epoch`` count from 0."""

    run: int
    phase: list[int]
    epoch: list[int]
    train_loss: list[float]
    valid_loss: list[float]
    error_rate: list[float]
    seconds: list[float]


class DifferenceOut(BaseModel):
    """What makes the validation sides of two runs differ."""

    field: str = Field(examples=["split_seed"])
    first: Any
    second: Any


class OutcomesOut(BaseModel):
    """How often two runs were right about the same validation photos, and what McNemar's exact test says of it."""

    n: int = Field(description="photos")
    both_right: int
    only_first: int = Field(description="only the first run was right")
    only_second: int
    both_wrong: int
    p_value: float = Field(description="how often chance alone splits so unevenly or more")
    verdict: Verdict = Field(description="which is better beyond chance at p < 0.05; chance: none of them")
    sentence: str = Field(description="the same in words, for people")

    @classmethod
    def of(cls, outcomes: Outcomes, first: str, second: str) -> Self:
        """With the runs called by these names."""
        return cls(
            n=outcomes.n,
            both_right=outcomes.both_right,
            only_first=outcomes.only_first,
            only_second=outcomes.only_second,
            both_wrong=outcomes.both_wrong,
            p_value=outcomes.p_value,
            verdict=outcomes.verdict,
            sentence=outcomes.sentence(first, second),
        )


Obstacle = Literal["no_answers", "other_photos"]


class PairOut(BaseModel):
    """Two of the runs, held against each other photo by photo where they were validated on the same photos."""

    runs: tuple[int, int]
    outcomes: OutcomesOut | None = Field(description="null where they cannot be held against each other")
    obstacle: Obstacle | None = Field(
        description="why not. no_answers: one has no answers on record (yet); other_photos: see `differences`"
    )
    differences: list[DifferenceOut] = Field(description="the settings that make the validation sides differ")
    note: str | None = Field(description="why not, or what to know of it, a sentence for people")


class ComparisonOut(BaseModel):
    """Runs beside each other, in the order in which they were named."""

    runs: list[RunSummary]
    settings: list[FieldOut]
    curves: list[CurvesOut]
    pairs: list[PairOut] = Field(description="each with each")
    caution: str | None = Field(description="what to know of so many tests at once, a sentence for people")


class AnswerOut(BaseModel):
    """What a run said of a photo."""

    run: int
    predicted: str
    probability: float | None = Field(description="of the breed that it predicted")


class ComparedItem(BaseModel):
    """A validation photo, and what each of the two runs said of it."""

    item: int = Field(description="position in the dataset, from 0")
    path: str = Field(examples=["photos/Birman_12.jpg"])
    actual: str
    answers: tuple[AnswerOut, AnswerOut]
    image: str = Field(description="path of the picture", examples=["/runs/12/items/345/image"])

    @classmethod
    def of(cls, found: AnsweredItem, runs: tuple[int, int]) -> Self:
        first, second = (
            AnswerOut(run=run, predicted=predicted, probability=probability)
            for run, predicted, probability in zip(runs, found.predicted, found.probability, strict=True)
        )
        image = f"/runs/{runs[0]}/items/{found.item}/image"
        return cls(item=found.item, path=found.path, actual=found.actual, answers=(first, second), image=image)
