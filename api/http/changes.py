"""Requests that change something: each begins its row of the record of changes, and is a line of the log."""

import logging

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.access import ANYBODY, CALLER, Caller
from api.http.gate import SAFE_METHODS
from api.http.paths import route_path
from api.http.scopes import JUDGED, Operation
from store.db.audit import Change, begin_change, write_change
from store.request_ids import request_id

logger = logging.getLogger(__name__)

FIRST_REFUSAL = 400
CHANGES_NOTHING = frozenset({("POST", "/predict"), ("POST", "/predict/explain"), ("POST", "/label-rules/try")}) | {
    ("POST", "/uploads/{upload_id}/try-labels"),
    ("PATCH", "/uploads/{upload_id}"),  # a piece of many: beginning and end are kept
}
IN_FILES = frozenset({("POST", "/uploads"), ("DELETE", "/uploads/{upload_id}")})
"""What is changed where no transaction takes the row along."""


class Changes:
    """ASGI middleware, inside of the one that knows the caller."""

    def __init__(self, app: ASGIApp, *, sessions: sessionmaker[Session]) -> None:
        self.app = app
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; of a change, keep who made it."""
        operation: Operation | None = scope.get(JUDGED)
        if operation is None or operation[0] in SAFE_METHODS or operation in CHANGES_NOTHING:
            await self.app(scope, receive, send)
            return
        change = _change(scope, operation)
        begin_change(change)

        async def send_and_keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                logger.info("%s %s by %s: %d", operation[0], change.target, change.who, message["status"])
                if message["status"] < FIRST_REFUSAL and operation in IN_FILES:
                    await run_in_threadpool(self._write, change)
            await send(message)

        await self.app(scope, receive, send_and_keep)

    def _write(self, change: Change) -> None:
        try:
            with self.sessions.begin() as session:
                write_change(session, change)
        except SQLAlchemyError as error:
            logger.warning("a change is on no record but this line: %s", str(error).splitlines()[0])


def _change(scope: Scope, operation: Operation) -> Change:
    caller: Caller = scope.get(CALLER, ANYBODY)
    client = scope.get("client")
    return Change(
        who=caller.name,
        key_id=None if caller.key is None else caller.key.id,
        operation=" ".join(operation),
        target=route_path(scope)[:500],
        address=None if client is None else str(client[0]),
        request_id=request_id(),
    )
