"""``python -m migrations``: bring the database of DATABASE_URL to the newest schema. Safe to run twice at once."""

import logging
import sys

from migrations.engine import upgrade
from store.errors import SettingsInvalid
from store.settings import load_settings


def main() -> int:
    """Migrate to head; 0 when it is there."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error.detail} {error.hint}\n")
        return 2
    upgrade(settings.database_url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
