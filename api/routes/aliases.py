"""Aliases: which version answers for a name, its canary, and the way back."""

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from api.dependencies import Services, ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.schemas.fields import AliasName, PageOut
from api.schemas.models import AliasOut, AliasRequest, MoveOut
from api.schemas.problem import problems
from store.db.aliases import (
    Canary,
    before,
    cancel_canary,
    drop_alias,
    get_alias,
    list_aliases,
    list_moves,
    promote_canary,
    roll_back,
    set_alias,
    target_of,
    way_back,
)
from store.db.models import ModelVersion
from store.db.registry import get_version

router = APIRouter(prefix="/models/aliases", tags=["models"], route_class=TableRoute)

Alias = Annotated[AliasName, Path()]


@router.get("", responses=problems(400))
def list_the_aliases(services: ServicesDep, part: SliceDep) -> PageOut[AliasOut]:
    """All aliases by name, with what each points at."""
    with services.sessions.begin() as session:
        page = list_aliases(session, cursor=part.cursor, limit=part.limit)
        items = [AliasOut.of(one, before(session, one.alias)) for one in page.items]
    return PageOut(items=items, next_cursor=page.next_cursor)


@router.get("/{alias}", responses=problems(404))
def get_an_alias(alias: Alias, services: ServicesDep) -> AliasOut:
    """What an alias points at, and where rolling back leads."""
    with services.sessions.begin() as session:
        return _alias_out(session, alias)


@router.put("/{alias}", responses=problems(400, 404, 409, 413, 415))
def point_an_alias(alias: Alias, request: AliasRequest, services: ServicesDep) -> AliasOut:
    """Point an alias at a version, once its model is loaded; requests under way finish on the one they began with.

    An alias that points there already stays as it is, its canary too, unless another canary is named.

    The canary answers its share of the requests; the first photo of a request decides, so that the same photo gets the
    same version's answer. The answer names the version that gave it.
    """
    canary = Canary(request.canary.version, request.canary.share) if request.canary else None
    with services.sessions.begin() as session:
        version = get_version(session, request.version)
        beside = get_version(session, canary.version) if canary else None
    if beside is not None:
        services.predictor.prepare(beside.id, beside.run_id)
    point(services, alias, version, canary)
    with services.sessions.begin() as session:
        return _alias_out(session, alias)


@router.delete("/{alias}", status_code=204, responses=problems(404))
def remove_an_alias(alias: Alias, services: ServicesDep) -> None:
    """Forget an alias; the version stays."""
    with services.sessions.begin() as session:
        drop_alias(session, alias)
    services.predictor.forget(alias)


@router.get("/{alias}/moves", responses=problems(400, 404))
def list_the_moves(alias: Alias, services: ServicesDep, part: SliceDep) -> PageOut[MoveOut]:
    """What an alias pointed at, newest first."""
    with services.sessions.begin() as session:
        page = list_moves(session, alias, cursor=part.cursor, limit=part.limit)
    return PageOut(items=[MoveOut.of(move) for move in page.items], next_cursor=page.next_cursor)


@router.post("/{alias}/rollback", responses=problems(404, 409))
def roll_an_alias_back(alias: Alias, services: ServicesDep) -> AliasOut:
    """Point an alias at the version that it pointed at before, once that is loaded; its canary ends.

    Again, it goes one further back, never forward. 409 `nothing_before` where nothing came before, and 409
    `state_conflict` where somebody else moved it meanwhile.
    """
    with services.sessions.begin() as session:
        back = way_back(session, alias)
        version = get_version(session, back.version)
    services.predictor.prepare(version.id, version.run_id)
    with services.sessions.begin() as session:
        roll_back(session, alias, back)
    return _followed(services, alias)


@router.post("/{alias}/canary/promote", responses=problems(404, 409))
def promote_the_canary(alias: Alias, services: ServicesDep) -> AliasOut:
    """Point an alias at its canary once that is loaded; rolling back leads to the version that it pointed at.

    409 `state_conflict` where somebody else changed the canary meanwhile.
    """
    with services.sessions.begin() as session:
        target = target_of(session, alias)
    if target.canary is not None and target.canary_run is not None:
        services.predictor.prepare(target.canary.version, target.canary_run)
    with services.sessions.begin() as session:
        promote_canary(session, alias, target.canary)
    return _followed(services, alias)


@router.delete("/{alias}/canary", status_code=204, responses=problems(404, 409))
def cancel_the_canary(alias: Alias, services: ServicesDep) -> None:
    """End the canary: the alias's own version answers all requests."""
    with services.sessions.begin() as session:
        cancel_canary(session, alias)
    services.predictor.follow(alias)


def point(services: Services, alias: str, version: ModelVersion, canary: Canary | None = None) -> None:
    """Load the version's model, point the alias at it, and swap."""
    services.predictor.prepare(version.id, version.run_id)
    with services.sessions.begin() as session:
        set_alias(session, alias, version.id, canary=canary)
    services.predictor.follow(alias)


def _followed(services: Services, alias: str) -> AliasOut:
    services.predictor.follow(alias)
    with services.sessions.begin() as session:
        return _alias_out(session, alias)


def _alias_out(session: Session, alias: str) -> AliasOut:
    return AliasOut.of(get_alias(session, alias), before(session, alias))
