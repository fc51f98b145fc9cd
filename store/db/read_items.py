"""The pictures of a stored interpretation: the database filters, sorts and counts; what is asked for is in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Text,
    and_,
    cast,
    column,
    func,
    or_,
    select,
    true,
)
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
    rows, one = _rows()
    loss, item = _loss_and_item(one)
    chosen: list[ColumnElement[bool]] = [*_is_of(run_id, dataset_id)]
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


def worst_items(session: Session, run_id: int, dataset_id: int, k: int) -> Sequence[Json]:
    """The ``k`` items of an interpretation with the largest losses; what is no number is the largest there is."""
    rows, one = _rows()
    loss, item = _loss_and_item(one)
    statement = select(one).select_from(Interpretation).join(rows, true()).where(*_is_of(run_id, dataset_id))
    return session.scalars(statement.order_by(loss.desc().nulls_first(), item).limit(k)).all()


def trained_on_of(session: Session, run_id: int, dataset_id: int) -> int:
    """How many of an interpretation's pictures the model was trained on."""
    rows, one = _rows()
    statement = select(func.count()).select_from(Interpretation).join(rows, true())
    return session.scalars(statement.where(*_is_of(run_id, dataset_id), one["trained_on"].as_boolean())).one()


@dataclass(frozen=True)
class Confidences:
    """Of each picture of an interpretation how sure the first guess was, and whether it was right.

    ``calibrated`` is None where it is not known of all.
    """

    scores: Sequence[float | None]
    calibrated: Sequence[float] | None
    right: Sequence[bool]


def confidences_of(session: Session, run_id: int, dataset_id: int) -> Confidences:
    """In the order in which they are kept."""
    texts = [column(name, Text) for name in ("actual", "predicted")]
    numbers = [column(name, Double) for name in ("probability_predicted", "calibrated_predicted")]
    made = func.jsonb_to_recordset(Interpretation.items).table_valued(*texts, *numbers)
    rows = made.render_derived(with_types=True)
    told = (rows.c.probability_predicted, rows.c.calibrated_predicted, rows.c.actual == rows.c.predicted)
    statement = select(*map(func.array_agg, told)).select_from(Interpretation).join(rows, true())
    scores, calibrated, right = session.execute(statement.where(*_is_of(run_id, dataset_id))).one()
    is_known = calibrated is not None and None not in calibrated
    return Confidences(scores or [], calibrated if is_known else None, right or [])


def _rows() -> tuple[FromClause, ColumnElement[Any]]:
    """An interpretation's items as rows, and what each of these has."""
    rows = func.jsonb_array_elements(Interpretation.items).table_valued(column("value", JSONB)).lateral("rows")
    return rows, rows.c.value


def _loss_and_item(one: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return cast(one["loss"].astext, Double), cast(one["item"].astext, BigInteger)


def _is_of(run_id: int, dataset_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Interpretation.run_id == run_id, Interpretation.dataset_id == dataset_id


def _after(loss: ColumnElement[Any], item: ColumnElement[Any], least: SortValue, last: int) -> ColumnElement[bool]:
    if least is None:
        return or_(and_(loss.is_(None), item > last), loss.is_not(None))
    return or_(loss < least, and_(loss == least, item > last))
