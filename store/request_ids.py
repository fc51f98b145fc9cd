"""The id of the request that work is done for: in each process's log, in the queue and in the job's row."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

HEADER: Final = "X-Request-Id"
MESSAGE_HEADER: Final = "request_id"
"""Under this name a job's message has it."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_of_this: ContextVar[str | None] = ContextVar("request_id", default=None)
_of_process: list[str] = []


def request_id() -> str | None:
    """The id of what this thread or task works for; None where nobody asked for it."""
    return _of_this.get() or (_of_process[-1] if _of_process else None)


def begin_request(given: str | None) -> str:
    """The id that a request brings where it is one, else a new one; it holds for all that this task does."""
    is_one = given is not None and _WELL_FORMED.fullmatch(given)
    found = given if given is not None and is_one else uuid4().hex
    _of_this.set(found)
    return found


def follow_for_ever(found: str | None) -> None:
    """A process that works for one request alone says so in all its threads."""
    if found is not None:
        _of_process.append(found)


@contextmanager
def following(found: object) -> Iterator[None]:
    """Work for the request of a message or a row; where it has none, as before."""
    if not isinstance(found, str) or not _WELL_FORMED.fullmatch(found):
        yield
        return
    before = _of_this.set(found)
    try:
        yield
    finally:
        _of_this.reset(before)
