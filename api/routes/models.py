"""Models: register a run to be served."""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import ServicesDep, SliceDep
from api.routes.aliases import point
from api.schemas.fields import PageOut
from api.schemas.models import ModelOut, RegisterRequest
from api.schemas.problem import problems
from store.db.aliases import all_aliases
from store.db.registry import list_versions, register

router = APIRouter(prefix="/models", tags=["models"])

REGISTERED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ModelOut,
        "description": "The run is registered already: its version, with the alias moved as asked",
    },
    201: {"description": "The run is a new version; numbers follow each other without a gap"},
}


@router.post("", status_code=201, responses={**REGISTERED, **problems(400, 404, 409, 413, 415)})
def register_a_model(request: RegisterRequest, services: ServicesDep, response: Response) -> ModelOut:
    """Make a finished run a version: 201 with the next number, or 200 with the version that the run is already.

    An alias is pointed at it once its model is loaded: `POST /predict` answers with it from then on, and a model that
    cannot be loaded leaves the alias where it was.
    """
    with services.sessions.begin() as session:
        registered = register(session, request.run)
    version = registered.version
    if request.alias is not None:
        point(services, request.alias, version)
    with services.sessions.begin() as session:
        aliases = all_aliases(session)
    response.status_code = 201 if registered.is_new else 200
    response.headers["Location"] = "/models"
    return ModelOut.of(version, aliases)


@router.get("", responses=problems(400))
def list_the_models(services: ServicesDep, part: SliceDep) -> PageOut[ModelOut]:
    """Registered versions, newest first, with their aliases."""
    with services.sessions.begin() as session:
        page = list_versions(session, cursor=part.cursor, limit=part.limit)
        aliases = all_aliases(session)
    items = [ModelOut.of(version, aliases) for version in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)
