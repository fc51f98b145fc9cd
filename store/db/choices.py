"""How each version is run on each kind of machine."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from store.db.base import Json
from store.db.models import ServingChoice


def record_choice(session: Session, version: int, machine: str, *, content: Json | None, reason: str | None) -> None:
    """Keep a choice; one that was measured stays, whoever comes later.

    Args:
        session: of the caller.
        version: that was measured.
        machine: its kind.
        content: what was measured, or None.
        reason: where nothing was, why.
    """
    row = {"content": content, "reason": reason}
    statement = insert(ServingChoice).values(version=version, machine=machine, **row)
    keys = [ServingChoice.version, ServingChoice.machine]
    renewed = {**row, "created_at": func.now()}
    unmeasured = ServingChoice.content.is_(None)
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=renewed, where=unmeasured))


def choice_on(session: Session, version: int, machine: str) -> ServingChoice | None:
    """What was chosen for a version on a kind of machine."""
    return session.get(ServingChoice, (version, machine), populate_existing=True)


def choices_of(session: Session, versions: Collection[int]) -> Sequence[ServingChoice]:
    """What was chosen for these versions, by version and machine."""
    statement = select(ServingChoice).where(ServingChoice.version.in_(versions))
    return session.scalars(statement.order_by(ServingChoice.version, ServingChoice.machine)).all()
