"""The registry: which runs may be served, and under which names."""

import re
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.models import ModelAlias, ModelVersion
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.db.reading import get_run, holds_model, state_of_run, wait_for
from store.errors import Hint, InvalidRequest, NoModel, NotFound, NotReady, Request, WrongKind, one_of

DEFAULT_ALIAS = "production"
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class Registration:
    """A run's version, and whether it was made just now."""

    version: ModelVersion
    is_new: bool


def register(session: Session, run_id: int) -> Registration:
    """Make a run a version, with the number after the highest; the same run again is the version that it has.

    A run that failed and kept the model of its finished phases may be one: its reading is of these very weights.
    Registering is one caller's at a time, until its transaction ends.

    Raises:
        NotFound: there is no such run.
        WrongKind: the run trained nothing.
        NotReady: the run holds no model.
    """
    run, job = get_run(session, run_id), state_of_run(session, run_id)
    if run.kind != "train":
        raise WrongKind(f"run {run_id} is of kind {run.kind} and holds no model", hint="Register a run of kind train.")
    if not holds_model(session, job):
        detail = f"run {run_id} cannot be registered: its job {job.id} is {job.state}"
        raise NotReady(detail, hint=wait_for(job))
    # A sequence would lose a number to every insert that comes to nothing.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("model_versions"))))
    known = session.scalars(select(ModelVersion).where(ModelVersion.run_id == run_id)).one_or_none()
    if known is not None:
        return Registration(known, is_new=False)
    highest = session.scalar(select(func.max(ModelVersion.id))) or 0
    version = ModelVersion(id=highest + 1, run_id=run_id)
    session.add(version)
    session.flush()
    session.refresh(version)  # with its run, which is read after the transaction
    return Registration(version, is_new=True)


def set_alias(session: Session, alias: str, version: int) -> ModelAlias:
    """Point an alias at a version, wherever it pointed before.

    Raises:
        InvalidRequest: the alias is no usable name.
        NotFound: there is no such version.
    """
    if not _ALIAS.fullmatch(alias):
        hint = "Begin with a letter, and go on with up to 63 letters, digits, dots, dashes or underscores."
        raise InvalidRequest(f"{alias[:80]!r} cannot be an alias", hint=hint)
    _get_version(session, version)
    statement = insert(ModelAlias).values(alias=alias, version=version)
    moved = {"version": version, "updated_at": func.now()}
    session.execute(statement.on_conflict_do_update(index_elements=["alias"], set_=moved))
    return session.get_one(ModelAlias, alias, populate_existing=True)


def drop_alias(session: Session, alias: str) -> None:
    """Forget an alias; the version it pointed at stays.

    Raises:
        NotFound: there is no such alias.
    """
    gone = session.scalar(delete(ModelAlias).where(ModelAlias.alias == alias).returning(ModelAlias.alias))
    if gone is None:
        raise NotFound(f"there is no alias {alias!r}", hint=one_of("models"))


def list_versions(session: Session, *, cursor: str | None = None, limit: int = 50) -> Page[ModelVersion]:
    """Registered versions, newest first.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(ModelVersion).order_by(ModelVersion.id.desc()).limit(check_limit(limit) + 1)
    if cursor is not None:
        statement = statement.where(ModelVersion.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda version: (version.id,))


def aliases(session: Session) -> dict[str, int]:
    """Every alias and the version that it points at."""
    rows = session.execute(select(ModelAlias.alias, ModelAlias.version).order_by(ModelAlias.alias))
    return dict(rows.all())


def resolve_model(session: Session, name: str | int = DEFAULT_ALIAS) -> ModelVersion:
    """The version that an alias or a version number names.

    Raises:
        NoModel: nothing has been put into production yet.
        NotFound: there is no such alias or version.
    """
    word = str(name)
    if word.isascii() and word.isdigit():
        return _get_version(session, int(word))
    alias = session.get(ModelAlias, word, populate_existing=True)
    if alias is not None:
        return _get_version(session, alias.version)
    if word == DEFAULT_ALIAS:
        register = Request("POST", "/models", {"alias": DEFAULT_ALIAS})
        hint = Hint("Register a run that holds a model under that alias.", register)
        raise NoModel("no model is in production", hint=hint)
    raise NotFound(f"there is no model {word[:80]!r}", hint=one_of("models"))


def _get_version(session: Session, version: int) -> ModelVersion:
    found = session.get(ModelVersion, version) if version <= _LARGEST_ID else None
    if found is None:
        raise NotFound(f"there is no model version {version}", hint=one_of("models"))
    return found
