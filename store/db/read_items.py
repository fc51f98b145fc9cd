"""The pictures of a stored interpretation, a page at a time: the database filters and sorts, a page is in memory."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, and_, cast, column, func, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from store.db.base import Json
from store.db.models import Interpretation
from store.db.paging import Page, SortValue, check_limit, decode_sorted_cursor, make_page

ORDER = "loss"


def items_of(
    session: Session,
    run_id: int,
    dataset_id: int,
    *,
    actual: str | None = None,
    predicted: str | None = None,
    correct: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Json]:
    """The items of an interpretation with these breeds, the largest loss first.

    A loss that is no number is the largest there is.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    rows = func.jsonb_array_elements(Interpretation.items).table_valued(column("value", JSONB)).lateral("rows")
    one = rows.c.value
    loss, item = cast(one["loss"].astext, Double), cast(one["item"].astext, BigInteger)
    chosen: list[ColumnElement[bool]] = [Interpretation.run_id == run_id, Interpretation.dataset_id == dataset_id]
    for name, value in (("actual", actual), ("predicted", predicted)):
        if value is not None:
            chosen.append(one[name].astext == value)
    if correct is not None:
        chosen.append((one["actual"].astext == one["predicted"].astext) == cast(correct, Boolean))
    if cursor is not None:
        chosen.append(_after(loss, item, *decode_sorted_cursor(cursor, ORDER, float)))
    statement = select(one).select_from(Interpretation).join(rows, true()).where(*chosen)
    statement = statement.order_by(loss.desc().nulls_first(), item).limit(check_limit(limit) + 1)
    return make_page(session.scalars(statement).all(), limit, lambda found: (ORDER, found["loss"], found["item"]))


def _after(loss: ColumnElement[Any], item: ColumnElement[Any], least: SortValue, last: int) -> ColumnElement[bool]:
    if least is None:
        return or_(and_(loss.is_(None), item > last), loss.is_not(None))
    return or_(loss < least, and_(loss == least, item > last))
