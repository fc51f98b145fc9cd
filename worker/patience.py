"""Waiting out a Postgres that is away for a moment (restarted, failed over, all in use), or an artifact store."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from store.errors import NoRoom, ServiceUnavailable

logger = logging.getLogger(__name__)

OUTAGES = (OperationalError, InterfaceError, PoolTimeout)
OUTAGE_SECONDS = 120.0
"""An outage of half of this, which costs no attempt, ends well before it, whatever delay it meets; where it is over,
the work is given up, and the job is run again from its last checkpoint when the database is back."""
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 2.0
"""A database that is ended again and again may be back for a few seconds at a time."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Server:
    """Something that may be away: the errors that say so, and those among them that no waiting mends."""

    name: str
    away: tuple[type[Exception], ...]
    stays: tuple[type[Exception], ...] = ()


DATABASE = Server("database", OUTAGES)
STORE = Server("artifact store", (ServiceUnavailable,), stays=(NoRoom,))


def patiently(action: Callable[[], Result], *, seconds: float, what: str, server: Server = DATABASE) -> Result:
    """Do ``action``, again while the server is away, for up to ``seconds``; then its error comes through.

    The action must bear repetition: a commit whose answer was lost may have happened.
    """
    deadline, delay = time.monotonic() + seconds, FIRST_DELAY_SECONDS
    while True:
        try:
            return action()
        except server.away as error:
            if isinstance(error, server.stays) or time.monotonic() + delay > deadline:
                raise
            logger.warning("%s waits for the %s: %s", what, server.name, str(error).splitlines()[0])
            time.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
