"""Alembic's environment: migrates the connection that migrations.engine hands over."""

from alembic import context
from sqlalchemy import Connection, text

from migrations.engine import LOCK_TIMEOUT, STATEMENT_TIMEOUT
from store.db.models import Run


def migrate(connection: Connection) -> None:
    """Run the asked migrations, each in a transaction of its own, with timeouts that protect running services."""
    context.configure(connection=connection, target_metadata=Run.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        context.run_migrations()


migrate(context.config.attributes["connection"])
