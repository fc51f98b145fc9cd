"""The record of changes: a row in the transaction that makes the change, for all who change something over HTTP.

The request says once who changes what (:func:`begin_change`). The first transaction of it that writes takes the row
along, whichever function wrote; where one knows what was and what is, it says so by :func:`note`.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, event, func, select
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker

from store.access import LOCAL
from store.db.audit_table import AuditEntry
from store.db.base import Json
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.db.storable import storable

BATCH = 10_000
"""Rows deleted in one transaction, so that none is open for long."""
_BESIDE = frozenset({"audit", "serving_choices"})
"""Tables that a request may write before it changes anything."""
_WROTE, _TAKEN = "audit_wrote", "audit_taken"


@dataclass
class Change:
    """A request that may change something."""

    who: str
    operation: str
    target: str
    key_id: int | None = None
    address: str | None = None
    request_id: str | None = None
    is_written: bool = False
    noted: dict[str, Any] = field(default_factory=dict)
    """What of the next row is known better, or only, by who makes the change."""

    def row(self) -> AuditEntry:
        return AuditEntry(
            who=self.who,
            key_id=self.key_id,
            operation=self.operation,
            target=storable(self.noted.get("target", self.target)),
            before=storable(self.noted.get("before")),
            after=storable(self.noted.get("after")),
            address=self.address,
            request_id=self.request_id,
        )


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which changes are asked for; None: whichever."""

    who: str | None = None
    operation: str | None = None
    target: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_current: ContextVar[Change | None] = ContextVar("change", default=None)


def begin_change(change: Change) -> None:
    """Whatever this task and the threads it waits for write is part of the change."""
    _current.set(change)


def who_changes() -> str:
    """Who makes the change that is under way; a user of this machine where none is."""
    change = _current.get()
    return LOCAL if change is None else change.who


def note(*, target: str | None = None, before: Json | None = None, after: Json | None = None) -> None:
    """Say what is changed, in the transaction that changes it; where nobody keeps a record this does nothing."""
    change = _current.get()
    if change is None:
        return
    if target is not None:
        change.noted["target"] = target
    for name, part in (("before", before), ("after", after)):
        if part is not None:
            change.noted[name] = {**change.noted.get(name, {}), **part}


def keep_record(sessions: sessionmaker[Session]) -> None:
    """Have what these sessions commit take its row along."""
    event.listen(sessions, "do_orm_execute", _see_statement)
    event.listen(sessions, "after_flush", _see_flush)
    event.listen(sessions, "before_commit", _take_along)
    event.listen(sessions, "after_commit", _is_kept)
    event.listen(sessions, "after_soft_rollback", _is_lost)


def write_change(session: Session, change: Change) -> None:
    """Write the row of a change that was made elsewhere than in the database."""
    session.add(change.row())


def list_changes(session: Session, filters: Filters, *, cursor: str | None = None, limit: int = 50) -> Page[AuditEntry]:
    """Changes, newest first.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(check_limit(limit) + 1)
    for column, wanted in (
        (AuditEntry.who, filters.who),
        (AuditEntry.operation, filters.operation),
        (AuditEntry.target, filters.target),
        (AuditEntry.request_id, filters.request_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if filters.since is not None:
        statement = statement.where(AuditEntry.changed_at >= filters.since)
    if filters.until is not None:
        statement = statement.where(AuditEntry.changed_at < filters.until)
    if cursor is not None:
        statement = statement.where(AuditEntry.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda entry: (entry.id,))


def forget_old_changes(session: Session, *, older_than: timedelta) -> int:
    """Delete changes made so long ago, at most ``BATCH``; how many were deleted."""
    old = select(AuditEntry.id).where(AuditEntry.changed_at < func.now() - older_than).limit(BATCH)
    gone = session.execute(delete(AuditEntry).where(AuditEntry.id.in_(old)).returning(AuditEntry.id))
    return len(gone.all())


def _see_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        table = getattr(state.statement, "table", None)
        _saw(state.session, [getattr(table, "name", "")])


def _see_flush(session: Session, _: object) -> None:
    _saw(session, [getattr(one, "__tablename__", "") for one in (*session.new, *session.dirty, *session.deleted)])


def _saw(session: Session, tables: Iterable[str]) -> None:
    if any(table not in _BESIDE for table in tables):
        session.info[_WROTE] = True


def _take_along(session: Session) -> None:
    change = _current.get()
    if change is None or session.in_nested_transaction() or _TAKEN in session.info:
        return
    session.flush()
    if session.info.get(_WROTE) and (change.noted or not change.is_written):
        session.info[_TAKEN] = change
        session.add(change.row())


def _is_kept(session: Session) -> None:
    change = session.info.pop(_TAKEN, None)
    if isinstance(change, Change):
        change.is_written = True
        change.noted = {}


def _is_lost(session: Session, _: SessionTransaction) -> None:
    session.info.pop(_TAKEN, None)
    session.info.pop(_WROTE, None)
    change = _current.get()
    if change is not None:
        change.noted = {}
