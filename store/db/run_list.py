"""The list of runs: which of them, in what order, and the small curve beside each."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, ColumnElement, and_, cast, extract, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from store.db.models import Dataset, Epoch, Job, Run
from store.db.paging import Page, SortValue, check_limit, decode_sorted_cursor, make_page
from store.db.reading import is_own_job
from store.states import State

Sort = Literal["created", "error_rate", "arch", "duration"]
Order = Literal["asc", "desc"]

USUAL: dict[Sort, Order] = {"created": "desc", "error_rate": "asc", "arch": "asc", "duration": "asc"}
"""Which way round each order is where nothing is said."""
MOST_POINTS = 24
"""Of a small curve."""
_MICROSECONDS = 1_000_000
_MOST_DIGITS = 9


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """Which runs, and in what order; None and nothing stand for all.

    ``study`` is the job of a search whose trials they are.
    ``tags`` are all on the run. ``error_below`` leaves out runs without an error rate. Each word of ``q`` stands in the
    run's name, note, tags, architecture or dataset, or is its number. Runs without the value that they are sorted by
    come last, whichever way round.
    """

    kind: str | None = None
    state: State | None = None
    dataset: str | None = None
    arch: str | None = None
    study: int | None = None
    tags: Collection[str] = ()
    error_below: float | None = None
    q: str = ""
    sort: Sort = "created"
    order: Order | None = None

    @property
    def way(self) -> Order:
        return self.order or USUAL[self.sort]


def list_runs(session: Session, asked: RunQuery, *, cursor: str | None = None, limit: int = 50) -> Page[Run]:
    """A page of the runs that are asked for.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    value, is_rising = _value(asked.sort), asked.way == "asc"
    statement = select(Run, value.label("value")).where(*_filters(asked)).limit(check_limit(limit) + 1)
    if asked.state is not None or asked.sort == "duration":
        statement = statement.join(Job, is_own_job())
    if asked.state is not None:
        statement = statement.where(Job.state == asked.state)
    name = f"{asked.sort} {asked.way}"
    if cursor is not None:
        last, run_id = decode_sorted_cursor(cursor, name, str if asked.sort == "arch" else float)
        statement = statement.where(_after(value, last, run_id, is_rising=is_rising))
    by_value = value.asc() if is_rising else value.desc()
    by_id = Run.id.asc() if is_rising else Run.id.desc()
    order = (by_id,) if asked.sort == "created" else (by_value.nulls_last(), by_id)
    rows = session.execute(statement.order_by(*order)).all()
    page = make_page(rows, limit, lambda row: (name, row.value, row.Run.id))
    return Page([row.Run for row in page.items], page.next_cursor)


def sparks_of(session: Session, run_ids: Collection[int]) -> dict[int, list[float]]:
    """The error rate of each epoch, for each of the runs that has some; of many epochs the last of equal parts."""
    n = func.row_number().over(partition_by=Epoch.run_id, order_by=(Epoch.phase, Epoch.epoch))
    m = func.count().over(partition_by=Epoch.run_id)
    epochs = (
        select(Epoch.run_id, Epoch.error_rate, n.label("n"), m.label("m")).where(Epoch.run_id.in_(run_ids)).subquery()
    )
    part, part_before = (at * MOST_POINTS // epochs.c.m for at in (epochs.c.n, epochs.c.n - 1))
    curve = func.array_agg(aggregate_order_by(epochs.c.error_rate, epochs.c.n))
    statement = select(epochs.c.run_id, curve).where(part != part_before).group_by(epochs.c.run_id)
    return {run_id: list(rates) for run_id, rates in session.execute(statement)}


def _value(sort: Sort) -> ColumnElement[Any]:
    """What a list is sorted by. Runs are numbered in the order in which they are made."""
    if sort == "error_rate":
        return Run.error_rate.expression
    if sort == "arch":
        return Run.arch.expression
    if sort == "created":
        return Run.id.expression
    # A whole number goes into a cursor and comes back as the same.
    return cast(extract("epoch", Job.finished_at - Job.started_at) * _MICROSECONDS, BigInteger)


def _after(value: ColumnElement[Any], last: SortValue, run_id: int, *, is_rising: bool) -> ColumnElement[bool]:
    """The rows behind one. Null stands behind every value, which the comparison of rows does not know."""
    later = Run.id > run_id if is_rising else Run.id < run_id
    if last is None:
        return and_(value.is_(None), later)
    beyond = value > last if is_rising else value < last
    return or_(beyond, and_(value == last, later), value.is_(None))


def _filters(asked: RunQuery) -> Iterator[ColumnElement[bool]]:
    if asked.kind is not None:
        yield Run.kind == asked.kind
    if asked.dataset is not None:
        yield Run.dataset_id.in_(select(Dataset.id).where(Dataset.name == asked.dataset))
    if asked.arch is not None:
        yield Run.arch == asked.arch
    if asked.study is not None:
        yield Run.study_id == asked.study
    if asked.tags:
        yield Run.tags.contains(list(asked.tags))
    if asked.error_below is not None:
        yield Run.error_rate < asked.error_below
    yield from map(_has_word, asked.q.split())


def _has_word(word: str) -> ColumnElement[bool]:
    dataset = select(Dataset.name).where(Dataset.id == Run.dataset_id).scalar_subquery()
    said = func.concat_ws(" ", Run.name, Run.note, func.array_to_string(Run.tags, " "), Run.arch, dataset)
    is_there = said.icontains(word, autoescape=True)
    is_number = word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS
    return or_(is_there, Run.id == int(word)) if is_number else is_there
