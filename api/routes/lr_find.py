"""What searches for a learning rate found, those of their own and those within trainings."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import ServicesDep
from api.schemas.fields import Id
from api.schemas.lr_find import LrFindOut
from api.schemas.problem import problems
from store.db.rates import rate_find_of

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("/{run_id}/lr-find", responses=problems(404, 409))
def get_the_rate_search(
    run_id: Annotated[Id, Path()],
    services: ServicesDep,
    phase: Annotated[
        int | None, Query(ge=0, le=1000, description="of a training: before which phase, from 0; the first search")
    ] = None,
) -> LrFindOut:
    """The rates and losses of a search, its suggestions and their spread."""
    with services.sessions.begin() as session:
        return LrFindOut.of(rate_find_of(session, run_id, phase))
