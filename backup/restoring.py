"""Restoring a backup into an empty database and an empty artifact store."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.orm import Session

from backup.description import OTHER, BackupInvalid, FilePart
from backup.progress import Tell
from backup.reading import Backup, reading
from backup.rows import check_tables, copy_in, count_rows, go_on_counting, tables_of
from backup.writing import BackupRefused
from migrations.engine import downgrade, upgrade
from migrations.schema import known_revisions, schema_of
from store.artifacts import ArtifactStore
from store.db.named_files import named_files
from store.db.restored import QueuedAgain, queue_again
from store.keys import ANSWERS, DATASETS, PHOTOS, RUNS, UPLOADS, is_ours
from store.settings import Settings

WAY_OUT = "Restore into a new data folder (--data), or an empty database and store (DATABASE_URL, ARTIFACTS_URL)."


@dataclass(frozen=True)
class Restoration:
    """What was restored, and the jobs that wait now."""

    backup: Backup
    jobs: QueuedAgain


def check_backup(path: Path, tell: Tell) -> Backup:
    """Look at a backup whole and restore nothing.

    Raises:
        BackupInvalid: it cannot be restored.
        OSError: it cannot be read.
    """
    with reading(path, tell) as backup:
        return backup


def restore_backup(settings: Settings, path: Path, tell: Tell) -> Restoration:
    """Restore the rows, bring the schema to this version's, restore the files and queue again what was under way.

    Where it breaks off, what was restored is taken away again.

    Raises:
        BackupInvalid: the backup is not to be restored.
        BackupRefused: database or artifact store are not empty.
        NoRoom, ServiceUnavailable: the artifact store does not take a file.
        SQLAlchemyError: the database does not answer, or does not take the rows.
        OSError: the file cannot be read.
    """
    artifacts = ArtifactStore(settings.artifacts_url)
    engine = create_engine(settings.database_url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        with reading(path, tell) as backup:
            _check_empty(engine, artifacts)
            put: list[str] = []
            try:
                return _restore(settings, engine, artifacts, backup, put, tell)
            except BaseException:
                downgrade(settings.database_url, "base")
                for key in put:
                    artifacts.delete(key)
                raise
    finally:
        engine.dispose()


def _restore(
    settings: Settings, engine: Engine, artifacts: ArtifactStore, backup: Backup, put: list[str], tell: Tell
) -> Restoration:
    downgrade(settings.database_url, "base")  # it is empty, and may be of a later version than the backup
    upgrade(settings.database_url, backup.head.revision)
    _restore_rows(engine, backup, tell)
    upgrade(settings.database_url)
    with Session(engine) as session:
        named = {file.key: file.sha256 for file in named_files(session)}
    _check_files(backup, named)
    _restore_files(artifacts, backup, put, tell)
    with Session(engine) as session, session.begin():
        return Restoration(backup, queue_again(session))


def _restore_rows(engine: Engine, backup: Backup, tell: Tell) -> None:
    parts = backup.contents.tables
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'"))
        check_tables(connection, backup.contents)
        for number, part in enumerate(parts):
            tell("rows", number, len(parts))
            copy_in(connection, part, backup.rows(part))
        go_on_counting(connection, backup.contents.sequences)
    tell("rows", len(parts), len(parts))


def _restore_files(artifacts: ArtifactStore, backup: Backup, put: list[str], tell: Tell) -> None:
    done, total = 0, backup.contents.file_bytes

    def told(part: FilePart) -> Iterator[bytes]:
        nonlocal done
        for data in backup.content(part):
            yield data
            done += len(data)
            tell("files", done, total)

    for part in backup.contents.files:
        put.append(part.key)
        artifacts.put_parts(part.key, told(part), part.bytes)


def _check_files(backup: Backup, named: dict[str, str | None]) -> None:
    """Every file is one that the rows name, and as they say; what they name and is not there, is listed as missing."""
    contents = backup.contents
    there = {part.key: part.sha256 for part in contents.files}
    apart = (there.keys() | contents.missing) ^ named.keys()
    apart |= {key for key, digest in there.items() if named.get(key) not in {None, digest}}
    if apart:
        detail = f"the backup's rows and files do not belong together: {min(apart)}"
        raise BackupInvalid(detail, hint=OTHER)


def _check_empty(engine: Engine, artifacts: ArtifactStore) -> None:
    """See that nothing is there that could be lost or mixed.

    Raises:
        BackupRefused: something is.
    """
    with engine.connect() as connection:
        if rows := count_rows(connection):
            raise BackupRefused(f"the database is not empty, it has {rows} rows", hint=WAY_OUT)
        schema = schema_of(connection)
        if schema not in {None, *known_revisions()} or (schema is None and tables_of(connection)):
            raise BackupRefused("the database has tables that this version of Pedigree does not know", hint=WAY_OUT)
    for prefix in (ANSWERS, DATASETS, PHOTOS, RUNS, UPLOADS):
        if found := next((one.key for one in artifacts.keys_below(prefix) if is_ours(one.key)), None):
            raise BackupRefused(f"the artifact store is not empty, it has {found}", hint=WAY_OUT)
