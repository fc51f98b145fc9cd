"""Runs beside each other: what they were told to do, how they went, and which photos only one of them got right."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.runs.comparing import check_comparable, compare_runs
from api.schemas.comparison import ComparedItem, ComparisonOut, SeveralRuns, TwoRuns, ids_of
from api.schemas.fields import PageOut
from api.schemas.problem import problems
from store.db.answers import Which, answered_items
from store.db.reading import get_runs

router = APIRouter(prefix="/runs/compare", tags=["runs"], route_class=TableRoute)


@router.get("", responses=problems(404))
def compare_some_runs(services: ServicesDep, runs: Annotated[SeveralRuns, Query()]) -> ComparisonOut:
    """Runs beside each other: facts, settings with what differs, curves, and each pair photo by photo."""
    with services.sessions.begin() as session:
        return compare_runs(session, ids_of(runs))


@router.get("/items", responses=problems(400, 404, 409))
def list_compared_photos(
    services: ServicesDep,
    part: SliceDep,
    runs: Annotated[TwoRuns, Query()],
    which: Annotated[Which, Query(description="those that only the first or the second run got right, or neither")],
) -> PageOut[ComparedItem]:
    """The validation photos about which only one of two runs was right, or neither."""
    first, second = ids_of(runs)
    with services.sessions.begin() as session:
        one, other = get_runs(session, [first, second])
        check_comparable(session, one, other)
        page = answered_items(session, one, other, which, cursor=part.cursor, limit=part.limit)
    items = [ComparedItem.of(found, (first, second)) for found in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)
