"""Models: register a run to be served."""

from collections.abc import Sequence
from concurrent.futures import wait
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from api.dependencies import ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.routes.aliases import point
from api.schemas.fields import Id, PageOut
from api.schemas.models import ModelDetail, ModelOut, RegisterRequest
from api.schemas.problem import problems
from api.schemas.shadows import ComparisonOut, ShadowOut
from store.db.aliases import all_aliases
from store.db.choices import choices_of
from store.db.models import ModelVersion
from store.db.registry import SHADOW_ALIAS, get_version, list_versions, register
from store.db.shadows import comparisons_of

router = APIRouter(prefix="/models", tags=["models"], route_class=TableRoute)

CHOICE_SECONDS = 30.0
"""So long a registration waits for the measurement, which under load gives way to predictions."""

REGISTERED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ModelOut,
        "description": "The run is registered already: its version, with the alias moved where it was not there yet",
    },
    201: {"description": "The run is a new version; numbers follow each other without a gap"},
}


@router.post("", status_code=201, responses={**REGISTERED, **problems(400, 404, 409, 413, 415)})
def register_a_model(request: RegisterRequest, services: ServicesDep, response: Response) -> ModelOut:
    """Make a finished run a version: 201 with the next number, or 200 with the version that the run is already.

    The quickest way to run it on this machine that answers as its validation did is chosen by a measurement on its own
    validation photos, once. An alias is pointed at it after that and once its model is loaded: `POST /predict` answers
    with it from then on, and a model that cannot be loaded leaves the alias where it was. Where the measurement takes
    long, the alias does not wait for it: the model is run in the exact way until then.
    """
    with services.sessions.begin() as session:
        registered = register(session, request.run)
    version = registered.version
    chosen = services.predictor.choose(version.id, version.run_id)
    if request.alias is not None:
        wait([chosen], timeout=CHOICE_SECONDS)
        point(services, request.alias, version)
    with services.sessions.begin() as session:
        out = _outs(session, [version])[0]
    response.status_code = 201 if registered.is_new else 200
    response.headers["Location"] = f"{services.settings.root_path}/models/{version.id}"
    return out


@router.get("", responses=problems(400))
def list_the_models(services: ServicesDep, part: SliceDep) -> PageOut[ModelOut]:
    """Registered versions, newest first, with their aliases."""
    with services.sessions.begin() as session:
        page = list_versions(session, cursor=part.cursor, limit=part.limit)
        items = _outs(session, page.items)
    return PageOut(items=items, next_cursor=page.next_cursor)


@router.get("/{version}", responses=problems(404))
def get_a_model(version: Annotated[Id, Path()], services: ServicesDep) -> ModelDetail:
    """A version, and what was measured to choose how it is run on each kind of machine."""
    with services.sessions.begin() as session:
        found = get_version(session, version)
        return ModelDetail.of_choices(found, all_aliases(session), choices_of(session, [version]))


@router.get("/{version}/shadow", responses=problems(404))
def get_what_a_shadow_answered(version: Annotated[Id, Path()], services: ServicesDep) -> ShadowOut:
    """How a version's answers as production's shadow differ from those that went out, added up over all replicas.

    The version that the alias `shadow` points at answers each photo of production too, after its answer went out.
    """
    with services.sessions.begin() as session:
        get_version(session, version)
        shadow = next((one for one in all_aliases(session) if one.alias == SHADOW_ALIAS), None)
        rows = comparisons_of(session, version)
    against = [ComparisonOut.of(row) for row in rows]
    return ShadowOut(version=version, is_shadow=shadow is not None and shadow.version == version, against=against)


def _outs(session: Session, versions: Sequence[ModelVersion]) -> list[ModelOut]:
    aliases = all_aliases(session)
    choices = choices_of(session, [one.id for one in versions])
    return [ModelOut.of(one, aliases, [choice for choice in choices if choice.version == one.id]) for one in versions]
