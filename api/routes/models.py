"""Models: register a run to be served and say which one is in production."""

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import ServicesDep, SliceDep
from api.schemas.fields import AliasName, PageOut
from api.schemas.models import AliasOut, AliasRequest, ModelOut, RegisterRequest
from api.schemas.problem import problems
from store.db.registry import aliases, drop_alias, list_versions, register, set_alias

router = APIRouter(prefix="/models", tags=["models"])


@router.post("", status_code=201, responses=problems(400, 404, 409, 413, 415))
def register_a_model(request: RegisterRequest, services: ServicesDep, response: Response) -> ModelOut:
    """Make a finished run a version; the same run again is the same version."""
    with services.sessions.begin() as session:
        version = register(session, request.run, request.alias)
        names = _names_of(aliases(session))[version.id]
    services.predictor.notice()
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
    """Point an alias at a version; requests under way finish on the version they began with."""
    with services.sessions.begin() as session:
        set_alias(session, alias, request.version)
    services.predictor.notice()
    return AliasOut(alias=alias, version=request.version)


@router.delete("/aliases/{alias}", status_code=204, responses=problems(404))
def remove_an_alias(alias: Annotated[AliasName, Path()], services: ServicesDep) -> None:
    """Forget an alias; the version stays."""
    with services.sessions.begin() as session:
        drop_alias(session, alias)
    services.predictor.forget(alias)


def _names_of(pointers: dict[str, int]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = defaultdict(list)
    for alias, version in pointers.items():
        names[version].append(alias)
    return names
