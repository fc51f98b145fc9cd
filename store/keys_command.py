"""``python -m store.keys_command``: keys made, listed and revoked in the database itself.

This is how the first key is made: who may read the database's address may make one, and no request over HTTP can.
It reads one object of JSON, ``{"act": "create", "name": …, "scope": …, "expires_at": …}``, ``{"act": "list"}`` or
``{"act": "revoke", "id": …}``, and writes one; where that has ``detail``, it is an error, and the exit status 1.
"""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store.access import Scope
from store.db.access_keys import create_key, list_keys, revoke_key
from store.db.access_tables import AccessKey
from store.db.audit import Change, begin_change, keep_record
from store.db.paging import MAX_LIMIT
from store.db.session import make_engine, make_sessions
from store.errors import AppError
from store.settings import load_settings

LOCAL = "local"
Json = dict[str, Any]


def main() -> int:
    """Do what standard input asks."""
    try:
        answer = _do(json.load(sys.stdin))
    except AppError as error:
        answer = {"detail": error.detail, "hint": error.hint}
    except SQLAlchemyError as error:
        answer = _refused_by(error)
    json.dump(answer, sys.stdout)
    return 1 if "detail" in answer else 0


def _refused_by(error: SQLAlchemyError) -> Json:
    cause = getattr(error, "orig", None)
    if isinstance(cause, UndefinedTable | UndefinedColumn):
        detail = "the database has no schema yet, or another one than this version works with"
        return {"detail": detail, "hint": "Run `python -m migrations` with the same DATABASE_URL."}
    said = str(cause or error).strip().splitlines()
    why = said[0] if said else type(error).__name__
    return {"detail": f"the database cannot be used: {why}", "hint": "Look at DATABASE_URL."}


def _do(asked: Mapping[str, Any]) -> Json:
    engine = make_engine(load_settings())
    try:
        sessions = make_sessions(engine)
        keep_record(sessions)
        begin_change(Change(LOCAL, _OPERATIONS.get(asked["act"], ""), "/keys"))
        with sessions.begin() as session:
            return _ACTS[asked["act"]](session, asked)
    finally:
        engine.dispose()


def _create(session: Session, asked: Mapping[str, Any]) -> Json:
    ends = asked.get("expires_at")
    key, written = create_key(
        session,
        name=asked["name"],
        scope=Scope(asked["scope"]),
        expires_at=None if ends is None else datetime.fromisoformat(ends),
        created_by=LOCAL,
    )
    return {**_told(key), "key": written}


def _list(session: Session, _: Mapping[str, Any]) -> Json:
    keys: list[AccessKey] = []
    cursor = None
    while True:
        page = list_keys(session, cursor=cursor, limit=MAX_LIMIT)
        keys += page.items
        cursor = page.next_cursor
        if cursor is None:
            return {"items": [_told(key) for key in keys]}


def _revoke(session: Session, asked: Mapping[str, Any]) -> Json:
    return _told(revoke_key(session, asked["id"]))


_OPERATIONS = {"create": "POST /keys", "revoke": "DELETE /keys/{key_id}"}
_ACTS = {"create": _create, "list": _list, "revoke": _revoke}


def _told(key: AccessKey) -> Json:
    times = {
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
    written = {name: None if when is None else when.isoformat() for name, when in times.items()}
    return {"id": key.id, "name": key.name, "scope": key.scope, "created_by": key.created_by, **written}


if __name__ == "__main__":
    sys.exit(main())
