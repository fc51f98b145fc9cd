"""What runs answered for their validation photos, item by item, as far as it takes to compare two of them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Double, Integer, Text, and_, column, func, not_, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.selectable import TableValuedAlias

from store.db.models import Interpretation, Run
from store.db.paging import Page, check_limit, decode_cursor, make_page

Which = Literal["only_first", "only_second", "both_wrong"]


@dataclass(frozen=True)
class Answers:
    """The items that a run was validated on, in order, each with its file, its label and what the run took it for."""

    items: tuple[int, ...]
    paths: tuple[str, ...]
    actual: tuple[str, ...]
    predicted: tuple[str, ...]
    tta: bool
    """Whether each answer is an average over augmented copies."""


@dataclass(frozen=True, kw_only=True)
class AnsweredItem:
    """A photo that both of two runs answered for."""

    item: int
    path: str
    actual: str
    predicted: tuple[str, str]
    probability: tuple[float | None, float | None]


def answers_of(session: Session, run_ids: Collection[int]) -> dict[int, Answers]:
    """Of those of the runs that have answers for their own validation photos."""
    rows = _rows(Interpretation)
    names = ("item", "path", "actual", "predicted")
    columns = [func.array_agg(aggregate_order_by(rows.c[name], rows.c.item)) for name in names]
    statement = (
        select(Interpretation.run_id, func.bool_or(Interpretation.tta), *columns)
        .join(Run, and_(Run.id == Interpretation.run_id, Run.dataset_id == Interpretation.dataset_id))
        .join(rows, true())
        .where(Interpretation.run_id.in_(run_ids))
        .group_by(Interpretation.run_id)
    )
    found = session.execute(statement)
    return {
        run_id: Answers(tuple(items), tuple(paths), tuple(actual), tuple(predicted), tta)
        for run_id, tta, items, paths, actual, predicted in found
    }


def answered_items(
    session: Session, first: Run, second: Run, which: Which, *, cursor: str | None = None, limit: int = 50
) -> Page[AnsweredItem]:
    """The photos about which only one of two runs was right, or neither, by their number in the first one's dataset.

    Of two revisions they are the photos of the same file, with the labels of the newer one.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    one, other = aliased(Interpretation), aliased(Interpretation)
    left, right = _rows(one), _rows(other)
    label = (left if first.dataset_id > second.dataset_id else right).c.actual
    same = "item" if first.dataset.revision == second.dataset.revision else "path"
    places = [left.c.item, left.c.path, label]
    answers = [side.c[name] for name in ("predicted", "probability_predicted") for side in (left, right)]
    statement = (
        select(*places, *answers)
        .select_from(one)
        .join(left, true())
        .join(other, and_(other.run_id == second.id, other.dataset_id == second.dataset_id))
        .join(right, left.c[same] == right.c[same])
        .where(one.run_id == first.id, one.dataset_id == first.dataset_id, _is_of(which, left, right, label))
        .order_by(left.c.item)
        .limit(check_limit(limit) + 1)
    )
    if cursor is not None:
        statement = statement.where(left.c.item > decode_cursor(cursor)[0])
    found = [
        AnsweredItem(item=item, path=path, actual=actual, predicted=(a, b), probability=(p, q))
        for item, path, actual, a, b, p, q in session.execute(statement)
    ]
    return make_page(found, limit, lambda row: (row.item,))


def _rows(interpretation: Any) -> TableValuedAlias:  # noqa: ANN401 - the table or an alias of it
    """The record's items as rows."""
    names = ("path", "actual", "predicted")
    texts = [column(name, Text) for name in names]
    numbers = [column("item", Integer), column("probability_predicted", Double)]
    return func.jsonb_to_recordset(interpretation.items).table_valued(*texts, *numbers).render_derived(with_types=True)


def _is_of(
    which: Which, left: TableValuedAlias, right: TableValuedAlias, label: ColumnElement[str]
) -> ColumnElement[bool]:
    first, second = (side.c.predicted == label for side in (left, right))
    if which == "only_first":
        return and_(first, not_(second))
    return and_(not_(first), second if which == "only_second" else not_(second))
