"""Keys and the sessions of browsers: made, listed, revoked, and read all at once by who checks requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from store.access import Scope, digest_of, new_secret, written_key
from store.db.access_tables import AccessKey, KeySession
from store.db.audit import note
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.errors import Hint, NameConflict, NotFound, Request, StateConflict

MOST_KEYS = 500
"""Keys in use: all of them are read every second."""
MOST_SESSIONS = 10
"""Of one key; one more ends the oldest."""


@dataclass(frozen=True)
class KeyInUse:
    """What checking a request needs of a key."""

    id: int
    name: str
    scope: Scope
    digest: bytes
    expires_at: datetime | None


@dataclass(frozen=True)
class SessionInUse:
    """A browser's session, by the digest of its secret."""

    digest: bytes
    key_id: int
    expires_at: datetime


@dataclass(frozen=True)
class KeysOnRecord:
    """Whether any key was ever made, and those that are good now, with their browsers."""

    any_made: bool
    keys: Sequence[KeyInUse]
    sessions: Sequence[SessionInUse]


def create_key(
    session: Session, *, name: str, scope: Scope, expires_at: datetime | None = None, created_by: str | None = None
) -> tuple[AccessKey, str]:
    """Add a key; with its row comes the key itself, which nobody can read again.

    Raises:
        NameConflict: a key that is not revoked has the name.
        StateConflict: so many are in use that one more is refused.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("keys"))))
    taken = session.scalar(select(AccessKey.id).where(AccessKey.name == name, AccessKey.revoked_at.is_(None)))
    if taken is not None:
        hint = Hint("Revoke that one first, or give another name.", Request("GET", "/keys"))
        raise NameConflict("there is a key of this name", hint, field="body.name", value=name)
    if (session.scalar(select(func.count()).select_from(AccessKey).where(_is_good())) or 0) >= MOST_KEYS:
        raise StateConflict(f"{MOST_KEYS} keys are in use, and no more may be", "Revoke those that nobody uses.")
    secret = new_secret()
    key = AccessKey(name=name, scope=scope, digest=digest_of(secret), expires_at=expires_at, created_by=created_by)
    session.add(key)
    session.flush()
    session.refresh(key)
    note(target=f"/keys/{key.id}", after={"name": name, "scope": scope})
    return key, written_key(key.id, secret)


def list_keys(session: Session, *, cursor: str | None = None, limit: int = 50) -> Page[AccessKey]:
    """All keys, the newest first, those too that are no good any more.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(AccessKey).order_by(AccessKey.id.desc()).limit(check_limit(limit) + 1)
    if cursor is not None:
        statement = statement.where(AccessKey.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda key: (key.id,))


def revoke_key(session: Session, key_id: int) -> AccessKey:
    """End a key and the sessions begun with it; one that was revoked before stays as it is.

    Raises:
        NotFound: there is none of this id.
    """
    key = session.get(AccessKey, key_id, with_for_update=True)
    if key is None:
        raise NotFound(f"there is no key {key_id}", Hint("Name one of the keys on record.", Request("GET", "/keys")))
    if key.revoked_at is None:
        session.execute(update(AccessKey).where(AccessKey.id == key_id).values(revoked_at=func.now()))
        session.execute(delete(KeySession).where(KeySession.key_id == key_id))
        session.refresh(key)
        note(target=f"/keys/{key_id}", before={"name": key.name, "scope": key.scope})
    return key


def keys_on_record(session: Session) -> KeysOnRecord:
    """All that is good now."""
    any_made = session.scalar(select(AccessKey.id).limit(1)) is not None
    if not any_made:
        return KeysOnRecord(any_made=False, keys=(), sessions=())
    good = select(AccessKey.id, AccessKey.name, AccessKey.scope, AccessKey.digest, AccessKey.expires_at)
    keys = [
        KeyInUse(key_id, name, Scope(scope), digest, expires_at)
        for key_id, name, scope, digest, expires_at in session.execute(good.where(_is_good()))
    ]
    living = select(KeySession.digest, KeySession.key_id, KeySession.expires_at)
    sessions = [SessionInUse(*row) for row in session.execute(living.where(KeySession.expires_at > func.now()))]
    return KeysOnRecord(any_made=True, keys=keys, sessions=sessions)


def begin_session(session: Session, key_id: int, *, life: timedelta) -> tuple[str, datetime]:
    """A browser's session, as long as ``life`` and no longer than its key: its secret and its end.

    Raises:
        NotFound: the key is no good any more.
    """
    key = session.scalars(select(AccessKey).where(AccessKey.id == key_id, _is_good()).with_for_update()).one_or_none()
    if key is None:
        raise NotFound(f"there is no key {key_id} in use")
    now = session.execute(select(func.now())).scalar_one()
    latest = select(KeySession.digest).where(KeySession.key_id == key_id).order_by(KeySession.created_at.desc())
    kept = latest.limit(MOST_SESSIONS - 1)
    old = or_(KeySession.expires_at <= func.now(), KeySession.digest.not_in(kept))
    session.execute(delete(KeySession).where(KeySession.key_id == key_id, old))
    secret = new_secret()
    ends = min(now + life, key.expires_at or now + life)
    session.add(KeySession(digest=digest_of(secret), key_id=key_id, expires_at=ends))
    session.flush()
    return secret, ends


def end_session(session: Session, digest: bytes) -> None:
    """End a browser's session; one that is not there has ended."""
    session.execute(delete(KeySession).where(KeySession.digest == digest))


def note_uses(session: Session, uses: Mapping[int, datetime]) -> None:
    """Keep when keys were used last."""
    for key_id, when in uses.items():
        newer = or_(AccessKey.last_used_at.is_(None), AccessKey.last_used_at < when)
        session.execute(update(AccessKey).where(AccessKey.id == key_id, newer).values(last_used_at=when))


def _is_good() -> ColumnElement[bool]:
    not_expired = or_(AccessKey.expires_at.is_(None), AccessKey.expires_at > func.now())
    return AccessKey.revoked_at.is_(None) & not_expired
