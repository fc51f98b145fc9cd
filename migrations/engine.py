"""How migrations are run: the configuration in code, so that there is no ini file to keep in step."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text

from migrations.schema import check_known, schema_of

LOCK = 7_305_110_461_203
"""The advisory lock that one migration at a time holds; any fixed number of ours."""

LOCK_TIMEOUT = "5s"
"""A migration that cannot have its table lock gives up rather than queue all traffic behind it."""

STATEMENT_TIMEOUT = "10min"


def make_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; ``connection`` is what env.py migrates."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate up to ``revision``; a second caller waits and then finds nothing to do.

    Raises:
        SchemaUnfit: the database is of a newer version.
    """
    _run(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Migrate down to ``revision`` (``base``: nothing is left).

    Raises:
        SchemaUnfit: the database is of a newer version.
    """
    _run(database_url, lambda config: command.downgrade(config, revision))


def _run(database_url: str, step: Callable[[Config], None]) -> None:
    engine = create_engine(database_url, poolclass=NullPool)
    try:
        # Held by a connection of its own: the lock must outlive the migration's transactions.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
            holder.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            # By this connection: on the other one alembic has to begin the first transaction.
            check_known(schema_of(holder))
            with engine.connect() as connection:
                step(make_config(connection))
    finally:
        engine.dispose()
