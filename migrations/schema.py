"""Which schema a database has, and whether it is one of this version's. Alembic is not needed for it."""

from pathlib import Path

from sqlalchemy import Connection, text

from store.errors import AppError

_VERSIONS = Path(__file__).parent / "versions"


class SchemaUnknown(AppError):
    """The database has a schema that no migration of this version makes: a newer version's."""

    code = "schema_unknown"
    title = "Unknown schema"


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
        SchemaUnknown: it is of a newer version.
    """
    known = known_revisions()
    if schema is None or schema in known:
        return
    detail = f"the database has the schema {schema} of a newer version, and this one's newest is {known[0]}"
    raise SchemaUnknown(detail, hint="Install that version, or restore a backup from before it.")
