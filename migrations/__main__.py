"""``python -m migrations``: bring the database of DATABASE_URL to the newest schema. Safe to run twice at once."""

import logging
import sys

from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from migrations.engine import upgrade
from migrations.schema import SchemaUnfit
from store.errors import SettingsInvalid
from store.settings import load_settings

logger = logging.getLogger(__name__)


def main() -> int:
    """Migrate to head; 0 when it is there, 1 with one line where it cannot be, 2 for wrong settings."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error.detail} {error.hint}\n")
        return 2
    try:
        upgrade(settings.database_url)
    except SchemaUnfit as error:
        sys.stderr.write(f"{error.detail}. {error.hint}\n")
        return 1
    except SQLAlchemyError as error:
        if not isinstance(error, (OperationalError, ArgumentError)):
            # Neither the server's nor the address's: who fixes it needs the whole.
            logger.exception("the migration failed")
        sys.stderr.write(f"the database cannot be migrated: {_reason(error)}\n")
        return 1
    return 0


def _reason(error: SQLAlchemyError) -> str:
    """The driver's own first line; SQLAlchemy's further ones are the statement and an address to read at."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return said[0] if said else type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
