"""Engine and sessions. A caller opens a visible ``with sessions.begin() as session:`` block; nothing else commits."""

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from store.settings import Settings


def make_engine(settings: Settings) -> Engine:
    """An engine whose connections are tried before use, so that a restarted Postgres costs no request."""
    return create_engine(
        settings.database_url,
        pool_pre_ping=True,
        # An error would name them in logs, secrets too.
        hide_parameters=True,
        pool_size=10,
        max_overflow=20,
        pool_timeout=10,
        connect_args={
            "connect_timeout": 5,
            # A server whose machine is gone says nothing: without these its connections stand for many minutes.
            "tcp_user_timeout": 20_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": "pedigree",
            "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s",
        },
    )


def make_sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after the block that loaded them has ended."""
    return sessionmaker(engine, expire_on_commit=False)


def close_engine(engine: Engine) -> None:
    """Close its connections: those at hand now, those that a thread still uses when it gives them back.

    The pool that is left behind would keep the latter open until the garbage collector finds it.
    """
    event.listen(engine.pool, "checkin", _close)
    engine.dispose()


def _close(_: object, entry: ConnectionPoolEntry) -> None:
    entry.invalidate()
