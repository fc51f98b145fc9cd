"""Aliases: what each points at, its canary, and the moves that led there.

A move keeps the one before it, and rolling back goes there. Rolling back again goes one further, never forward: a
person who rolls back twice has found the second version broken too. Moving an alias ends its canary, unless the move
names one; asking for what it points at already is no move.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.audit import note
from store.db.models import AliasMove, ModelAlias, ModelVersion
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.db.registry import get_version, held_version, resolve_model
from store.errors import Hint, InvalidRequest, NotFound, NothingBefore, Request, StateConflict, one_of

How = Literal["pointed", "promoted", "rolled_back", "removed"]

_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Canary:
    """A version that answers a share of an alias's requests, 0 to 1."""

    version: int
    share: float


@dataclass(frozen=True)
class Target:
    """What a name stands for: a version with its run, and the canary beside it with its run."""

    version: int
    run: int
    canary: Canary | None = None
    canary_run: int | None = None


@dataclass(frozen=True)
class Return:
    """Where rolling back leads, seen from the move that the alias stands at."""

    version: int
    standing: int


def set_alias(
    session: Session, alias: str, version: int, *, canary: Canary | None = None, how: How = "pointed"
) -> ModelAlias:
    """Point an alias at a version, wherever it pointed before; its canary ends, unless another one is named.

    Where it stands at that version already, and no canary is named, nothing changes.

    Raises:
        InvalidRequest: the alias is no usable name, or the canary is the version itself.
        NotFound: there is no such version.
    """
    if not _ALIAS.fullmatch(alias):
        hint = "Begin with a letter, and go on with up to 63 letters, digits, dots, dashes or underscores."
        raise InvalidRequest(f"{alias[:80]!r} cannot be an alias", hint=hint)
    held_version(session, version)
    if canary is not None:
        _check_canary(session, canary, version)
    # The row is held until the transaction ends, so that moves follow each other.
    at = _held(session, alias)
    if at is not None and at.version == version and canary is None:
        return at
    _put(session, alias, version, canary)
    standing = _newest_move(session, alias)
    _note(alias, None if standing is None else standing.version, version, canary)
    if standing is None or standing.version != version:
        before = standing.id if standing is not None and standing.version is not None else None
        session.add(AliasMove(alias=alias, how=how, version=version, before_id=before))
        session.flush()
    return get_alias(session, alias)


def drop_alias(session: Session, alias: str) -> None:
    """Forget an alias; the version it pointed at stays, and so do its moves.

    Raises:
        NotFound: there is no such alias.
    """
    gone = session.scalar(delete(ModelAlias).where(ModelAlias.alias == alias).returning(ModelAlias.alias))
    if gone is None:
        raise _unknown(alias)
    session.add(AliasMove(alias=alias, how="removed"))


def get_alias(session: Session, alias: str) -> ModelAlias:
    """An alias.

    Raises:
        NotFound: there is no such alias.
    """
    found = session.get(ModelAlias, alias, populate_existing=True)
    if found is None:
        raise _unknown(alias)
    return found


def target_of(session: Session, name: str) -> Target:
    """What an alias or a version number stands for.

    Raises:
        NoModel: nothing has been put into production yet.
        NotFound: there is no such alias or version.
    """
    version = resolve_model(session, name)
    # Read in one transaction, yet maybe moved between the two statements: then the next look sees it whole.
    alias = session.get(ModelAlias, name)
    canary = canary_of(alias) if alias is not None else None
    if canary is None:
        return Target(version.id, version.run_id)
    return Target(version.id, version.run_id, canary, get_version(session, canary.version).run_id)


def all_aliases(session: Session) -> Sequence[ModelAlias]:
    """Every alias, by name."""
    return session.scalars(select(ModelAlias).order_by(ModelAlias.alias)).all()


def list_aliases(session: Session, *, cursor: str | None = None, limit: int = 50) -> Page[ModelAlias]:
    """Aliases by name; the cursor is the name of a page's last.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(ModelAlias).order_by(ModelAlias.alias)
    if cursor is not None:
        if not _ALIAS.fullmatch(cursor):
            hint = "Take next_cursor of the page before."
            raise InvalidRequest(f"cursor {cursor[:80]!r} is not one of this list", hint)
        statement = statement.where(ModelAlias.alias > cursor)
    found = session.scalars(statement.limit(check_limit(limit) + 1)).all()
    return Page(list(found[:limit]), found[limit - 1].alias if len(found) > limit else None)


def canary_of(alias: ModelAlias) -> Canary | None:
    """The alias's canary."""
    if alias.canary_version is None or alias.canary_share is None:
        return None
    return Canary(alias.canary_version, alias.canary_share)


def before(session: Session, alias: str) -> Return | None:
    """Where rolling the alias back leads now; None where nothing came before.

    Raises:
        NotFound: there is no such alias.
    """
    get_alias(session, alias)
    standing = _newest_move(session, alias)
    target = None if standing is None else _move_before(session, standing)
    if standing is None or target is None or target.version is None:
        return None
    return Return(target.version, standing.id)


def way_back(session: Session, alias: str) -> Return:
    """As :func:`before`, where there must be one.

    Raises:
        NotFound: there is no such alias.
        NothingBefore: nothing came before.
    """
    found = before(session, alias)
    if found is None:
        version = get_alias(session, alias).version
        pointing = Hint("Point it at a version instead.", Request("GET", "/models"))
        raise NothingBefore(f"alias {alias!r} pointed at nothing before version {version}", pointing)
    return found


def roll_back(session: Session, alias: str, back: Return) -> ModelAlias:
    """Point an alias at what came before, as :func:`way_back` found it.

    Raises:
        NotFound: there is no such alias, or the version was deleted since.
        StateConflict: the alias was moved since.
    """
    _locked(session, alias)
    standing = _newest_move(session, alias)
    if standing is None or standing.id != back.standing:
        raise _moved(alias)
    held_version(session, back.version)
    target = _move_before(session, standing)
    if target is None or target.version != back.version:
        raise _moved(alias)
    _put(session, alias, back.version, None)
    _note(alias, standing.version, back.version, None)
    session.add(AliasMove(alias=alias, how="rolled_back", version=back.version, before_id=target.before_id))
    session.flush()
    return get_alias(session, alias)


def promote_canary(session: Session, alias: str, seen: Canary | None) -> ModelAlias:
    """Point an alias at its canary, which then is none any more.

    Args:
        session: of the transaction.
        alias: which.
        seen: the canary that is meant; its share may have changed since.

    Raises:
        NotFound: there is no such alias.
        StateConflict: it has no canary, or another one since.
    """
    canary = canary_of(_locked(session, alias))
    if canary is None:
        raise _no_canary(alias)
    if seen is None or seen.version != canary.version:
        raise _moved(alias)
    return set_alias(session, alias, canary.version, how="promoted")


def cancel_canary(session: Session, alias: str) -> None:
    """End an alias's canary.

    Raises:
        NotFound: there is no such alias.
        StateConflict: it has no canary.
    """
    found = _locked(session, alias)
    if found.canary_version is None:
        raise _no_canary(alias)
    note(target=f"/models/aliases/{alias}", before={"canary": found.canary_version, "share": found.canary_share})
    found.canary_version = found.canary_share = None


def list_moves(session: Session, alias: str, *, cursor: str | None = None, limit: int = 50) -> Page[AliasMove]:
    """An alias's moves, newest first; those of before it was removed as well.

    Raises:
        NotFound: there never was such an alias.
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(AliasMove).where(AliasMove.alias == alias).order_by(AliasMove.id.desc())
    if cursor is not None:
        statement = statement.where(AliasMove.id < decode_cursor(cursor)[0])
    found = session.scalars(statement.limit(check_limit(limit) + 1)).all()
    if not found and _newest_move(session, alias) is None:
        raise _unknown(alias)
    return make_page(found, limit, lambda move: (move.id,))


def _note(alias: str, before: int | None, version: int, canary: Canary | None) -> None:
    beside = {} if canary is None else {"canary": canary.version, "share": canary.share}
    note(target=f"/models/aliases/{alias}", before={"version": before}, after={"version": version, **beside})


def _check_canary(session: Session, canary: Canary, version: int) -> None:
    held_version(session, canary.version)
    if canary.version == version:
        detail, hint = "it is the version that the alias points at", "Name another version, or leave the canary out."
        raise InvalidRequest(detail, hint, field="body.canary.version", value=version)


def _put(session: Session, alias: str, version: int, canary: Canary | None) -> None:
    values = {
        "version": version,
        "canary_version": canary.version if canary else None,
        "canary_share": canary.share if canary else None,
    }
    statement = insert(ModelAlias).values(alias=alias, **values)
    moved = {**values, "updated_at": func.now()}
    session.execute(statement.on_conflict_do_update(index_elements=["alias"], set_=moved))


def _held(session: Session, alias: str) -> ModelAlias | None:
    statement = select(ModelAlias).where(ModelAlias.alias == alias).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def _locked(session: Session, alias: str) -> ModelAlias:
    found = _held(session, alias)
    if found is None:
        raise _unknown(alias)
    return found


def _newest_move(session: Session, alias: str) -> AliasMove | None:
    statement = select(AliasMove).where(AliasMove.alias == alias).order_by(AliasMove.id.desc()).limit(1)
    return session.scalars(statement).first()


def _move_before(session: Session, standing: AliasMove) -> AliasMove | None:
    """The move that rolling back returns to: further back than the last where that one's version was deleted since."""
    target = standing
    while target.before_id is not None:
        target = session.get_one(AliasMove, target.before_id)
        is_another = target.version is not None and target.version != standing.version
        if is_another and session.get(ModelVersion, target.version) is not None:
            return target
    return None


def _unknown(alias: str) -> NotFound:
    return NotFound(f"there is no alias {alias[:80]!r}", hint=one_of("models"))


def _moved(alias: str) -> StateConflict:
    hint = Hint("Look at what it points at now, then ask again.", Request("GET", f"/models/aliases/{alias}"))
    return StateConflict(f"alias {alias!r} was moved meanwhile", hint)


def _no_canary(alias: str) -> StateConflict:
    hint = Hint("Look at what it points at.", Request("GET", f"/models/aliases/{alias}"))
    return StateConflict(f"alias {alias!r} has no canary", hint)
