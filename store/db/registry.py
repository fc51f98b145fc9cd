"""The registry: which runs may be served, and what a name stands for."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.db.audit import note
from store.db.models import DeletedRun, ModelAlias, ModelVersion
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.db.reading import get_run, held_run, holds_model, state_of_run, wait_for
from store.errors import Hint, NoModel, NotFound, NotReady, Request, WrongKind, one_of
from store.states import standing

DEFAULT_ALIAS = "production"
SHADOW_ALIAS = "shadow"
"""The version that it points at answers production's photos too, to be compared."""
_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class Registration:
    """A run's version, and whether it was made just now."""

    version: ModelVersion
    is_new: bool


def register(session: Session, run_id: int) -> Registration:
    """Make a run a version, with the number after the highest there ever was; a run that is one keeps its number.

    A run that failed and kept the model of its finished phases may be one: its reading is of these very weights.
    Registering is one caller's at a time, until its transaction ends.

    Raises:
        NotFound: there is no such run.
        WrongKind: the run trained nothing.
        NotReady: the run holds no model.
    """
    held_run(session, run_id)
    run, job = get_run(session, run_id), state_of_run(session, run_id)
    if run.kind != "train":
        raise WrongKind(f"run {run_id} is of kind {run.kind} and holds no model", hint="Register a run of kind train.")
    if not holds_model(session, job):
        detail = f"run {run_id} cannot be registered: its job {job.id} {standing(job.state)}"
        raise NotReady(detail, hint=wait_for(job))
    # A sequence would lose a number to every insert that comes to nothing.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("model_versions"))))
    known = session.scalars(select(ModelVersion).where(ModelVersion.run_id == run_id)).one_or_none()
    if known is not None:
        return Registration(known, is_new=False)
    # The number of a version that was deleted is never another's: predictions and clients name it.
    numbers = (session.scalar(select(func.max(one))) or 0 for one in (ModelVersion.id, DeletedRun.version))
    version = ModelVersion(id=max(numbers) + 1, run_id=run_id)
    session.add(version)
    session.flush()
    session.refresh(version)  # with its run, which is read after the transaction
    note(target=f"/models/{version.id}", after={"version": version.id, "run": run_id})
    return Registration(version, is_new=True)


def list_versions(session: Session, *, cursor: str | None = None, limit: int = 50) -> Page[ModelVersion]:
    """Registered versions, newest first.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(ModelVersion).order_by(ModelVersion.id.desc()).limit(check_limit(limit) + 1)
    if cursor is not None:
        statement = statement.where(ModelVersion.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda version: (version.id,))


def resolve_model(session: Session, name: str | int = DEFAULT_ALIAS) -> ModelVersion:
    """The version that an alias or a version number names.

    Raises:
        NoModel: nothing has been put into production yet.
        NotFound: there is no such alias or version.
    """
    word = str(name)
    if word.isascii() and word.isdigit():
        return get_version(session, int(word))
    alias = session.get(ModelAlias, word, populate_existing=True)
    if alias is not None:
        return get_version(session, alias.version)
    if word == DEFAULT_ALIAS:
        register = Request("POST", "/models", {"alias": DEFAULT_ALIAS})
        hint = Hint("Register a run that holds a model under that alias.", register)
        raise NoModel("no model is in production", hint=hint)
    raise NotFound(f"there is no model {word[:80]!r}", hint=one_of("models"))


def get_version(session: Session, version: int) -> ModelVersion:
    """A version.

    Raises:
        NotFound: there is none of this number.
    """
    found = session.get(ModelVersion, version) if version <= _LARGEST_ID else None
    if found is None:
        raise NotFound(f"there is no model version {version}", hint=one_of("models"))
    return found


def held_version(session: Session, version: int) -> ModelVersion:
    """A version that nobody deletes until the caller's transaction ends: for what is about to need it.

    Raises:
        NotFound: there is none of this number.
    """
    locked = select(ModelVersion.id).where(ModelVersion.id == version).with_for_update(read=True, key_share=True)
    if version > _LARGEST_ID or session.scalar(locked) is None:
        raise NotFound(f"there is no model version {version}", hint=one_of("models"))
    return get_version(session, version)
