"""Models: register a run to be served and say which one is in production."""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.dependencies import Services, ServicesDep, SliceDep
from api.schemas.fields import AliasName, PageOut
from api.schemas.models import AliasOut, AliasRequest, ModelOut, RegisterRequest
from api.schemas.problem import problems
from store.db.models import ModelVersion
from store.db.registry import aliases, drop_alias, list_versions, register, resolve_model, set_alias

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
        _serve(services, request.alias, version)
    with services.sessions.begin() as session:
        names = _names_of(aliases(session))[version.id]
    response.status_code = 201 if registered.is_new else 200
    response.headers["Location"] = "/models"
    return ModelOut.of(version, names)


@router.get("", responses=problems(400))
def list_the_models(services: ServicesDep, part: SliceDep) -> PageOut[ModelOut]:
    """Registered versions, newest first, with their aliases."""
    with services.sessions.begin() as session:
        page = list_versions(session, cursor=part.cursor, limit=part.limit)
        names = _names_of(aliases(session))
    items = [ModelOut.of(version, names[version.id]) for version in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)


@router.put("/aliases/{alias}", responses=problems(400, 404, 413, 415))
def point_an_alias(alias: Annotated[AliasName, Path()], request: AliasRequest, services: ServicesDep) -> AliasOut:
    """Point an alias at a version, once its model is loaded; requests under way finish on the one they began with."""
    with services.sessions.begin() as session:
        version = resolve_model(session, request.version)
    _serve(services, alias, version)
    return AliasOut(alias=alias, version=request.version)


@router.delete("/aliases/{alias}", status_code=204, responses=problems(404))
def remove_an_alias(alias: Annotated[AliasName, Path()], services: ServicesDep) -> None:
    """Forget an alias; the version stays."""
    with services.sessions.begin() as session:
        drop_alias(session, alias)
    services.predictor.forget(alias)


def _serve(services: Services, alias: str, version: ModelVersion) -> None:
    """Load the version's model, point the alias at it, and swap."""
    services.predictor.prepare(version.id, version.run_id)
    with services.sessions.begin() as session:
        set_alias(session, alias, version.id)
    services.predictor.follow(alias)


def _names_of(pointers: dict[str, int]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = defaultdict(list)
    for alias, version in pointers.items():
        names[version].append(alias)
    return names
