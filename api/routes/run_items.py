"""The pictures of an interpretation, by what they show and what they were taken for."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.dependencies import ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.routes.runs import Interpreted
from api.runs.interpretations import ABOUT, StoredInterpretation
from api.schemas.fields import Id, PageOut, ShortText
from api.schemas.problem import problems
from api.schemas.runs import TopLoss
from store.db.read_items import items_of
from store.errors import Hint, InvalidRequest, Request

router = APIRouter(prefix="/runs", tags=["runs"], route_class=TableRoute)

Breed = Annotated[ShortText | None, Query(description="a breed of the run's vocabulary")]


@router.get("/{run_id}/items", responses={200: {"headers": ABOUT}, **problems(400, 404, 409)})
def list_the_items(
    run_id: Annotated[Id, Path()],
    services: ServicesDep,
    part: SliceDep,
    response: Response,
    actual: Breed = None,
    predicted: Breed = None,
    correct: Annotated[bool | None, Query(description="only those that were recognised, or only the others")] = None,
    dataset: Interpreted = None,
) -> PageOut[TopLoss]:
    """The photos of a stored interpretation, the largest loss first; the headers say what they are photos of."""
    with services.sessions.begin() as session:
        stored = StoredInterpretation.of(session, run_id, dataset, with_items=False)
        for name, breed in (("actual", actual), ("predicted", predicted)):
            _check_breed(name, breed, stored)
        page = items_of(
            session,
            run_id,
            stored.dataset.id,
            actual=actual,
            predicted=predicted,
            correct=correct,
            cursor=part.cursor,
            limit=part.limit,
        )
    response.headers.update(stored.headers())
    query = f"?dataset={dataset}" if dataset is not None else ""
    items = [TopLoss(**item, image=f"/runs/{run_id}/items/{item['item']}/image{query}") for item in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)


def _check_breed(name: str, breed: str | None, stored: StoredInterpretation) -> None:
    found = stored.interpretation
    if breed is not None and breed not in found.vocab:
        hint = Hint("Name one of the run's breeds.", Request("GET", f"/runs/{found.run_id}/confusion"))
        raise InvalidRequest("the run knows no such breed", hint, field=f"query.{name}", value=breed)
