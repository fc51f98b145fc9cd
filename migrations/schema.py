"""Which schema a database has, and whether it is one of this version's. Alembic is not needed for it."""

import logging
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from store.errors import AppError

logger = logging.getLogger(__name__)

_VERSIONS = Path(__file__).parent / "versions"


class SchemaUnfit(AppError):
    """The database has another schema than this version works with."""

    code = "schema_unfit"
    title = "Other schema"


def schema_of(connection: Connection) -> str | None:
    """The schema's revision, None where there is no schema."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def known_revisions() -> list[str]:
    """Of the schema, as this version knows them, the newest first; the files' names have them behind the date."""
    return sorted((path.stem.split("_")[3] for path in _VERSIONS.glob("*_*_*_*_*.py")), reverse=True)


def check_known(schema: str | None) -> None:
    """See that a database's schema is none yet, or one of this version's.

    Raises:
        SchemaUnfit: it is of a newer version.
    """
    known = known_revisions()
    if schema is None or schema in known:
        return
    detail = f"the database has the schema {schema} of a newer version, and this one's newest is {known[0]}"
    raise SchemaUnfit(detail, hint="Install that version, or restore a backup from before it.")


def check_current(schema: str | None) -> None:
    """See that a database's schema is the one that this version works with.

    Raises:
        SchemaUnfit: it is another one, or there is none.
    """
    check_known(schema)
    if schema != (newest := known_revisions()[0]):
        has = "no schema" if schema is None else f"the schema {schema}"
        hint = "Start `pedigree up` again, or run `python -m migrations`."
        raise SchemaUnfit(f"the database has {has}, and this version needs {newest}", hint)


def check_at_start(database_url: str) -> None:
    """See that a process may begin to work on a database: each of its statements could fail on another schema.

    One that does not answer, or does not say, keeps nobody from starting: who needs it then says so.

    Raises:
        SchemaUnfit: it has another schema than this version works with.
    """
    options = {"connect_timeout": 5, "options": "-c statement_timeout=5s"}
    engine = create_engine(database_url, poolclass=NullPool, connect_args=options)
    try:
        with engine.connect() as connection:
            schema = schema_of(connection)
    except SQLAlchemyError as error:
        logger.warning("the database's schema is not known yet: %s", str(error).splitlines()[0])
        return
    finally:
        engine.dispose()
    check_current(schema)
