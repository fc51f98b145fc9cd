"""Making a backup: the rows of one snapshot, and the files that these rows name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backup.container import Writer
from backup.description import FORMAT, Contents, FilePart, Head, TablePart
from backup.progress import Tell
from backup.rows import Table, copy_out, last_numbers, tables_of
from migrations.schema import known_revisions, schema_of
from store.artifacts import ArtifactStore
from store.db.backup_hold import HOLD
from store.db.models import Run
from store.db.named_files import NamedFile, named_files
from store.errors import AppError, ArtifactMissing, NoRoom
from store.keys import is_ours
from store.room import says_disk_full
from store.scratch import until_whole
from store.settings import Settings

HEAD, CONTENTS, CHECK = "head.json", "contents.json", "check"
TABLES, FILES = "tables/", "files/"
HOLD_SECONDS = 60.0
"""How long deletions under way may take; only another backup takes longer."""
SPARE_BYTES = 64 * 1024 * 1024
"""What a disk keeps free besides: the database may lie there too."""


class BackupRefused(AppError):
    """No backup can be made, or none be restored, as things are."""

    code = "backup_refused"
    title = "Backup refused"


@dataclass
class WrittenBackup:
    """What was made; ``lost`` are the files that are missing from it and would be needed."""

    path: Path
    head: Head
    contents: Contents
    bytes: int
    lost: list[str]


@dataclass
class _Files:
    """What came of the files."""

    stored: list[FilePart] = field(default_factory=list)
    absent: list[NamedFile] = field(default_factory=list)


def write_backup(settings: Settings, path: Path, tell: Tell, *, allow_missing: bool) -> WrittenBackup:
    """Make a backup as the file ``path``, of mode 0600; it appears whole or not at all.

    The service goes on meanwhile. No file of it is deleted until the backup is whole.

    Args:
        settings: where database and artifact store are.
        path: the file, which is not there yet.
        tell: called with what is done.
        allow_missing: make it even where the artifact store lacks files that the rows name.

    Raises:
        BackupRefused: the database is of another version, another backup goes on, or files are missing.
        NoRoom: the disk does not hold it.
        ServiceUnavailable: the artifact store does not answer.
        SQLAlchemyError: the database does not.
        OSError: the file cannot be written.
    """
    artifacts = ArtifactStore(settings.artifacts_url)
    engine = create_engine(settings.database_url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    scratch = until_whole(path)
    try:
        with (
            _holding_files(engine),
            os.fdopen(os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file,
        ):
            head, contents, lost = _write(engine, artifacts, Writer(file), path, tell, allow_missing=allow_missing)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        if path.exists():
            raise BackupRefused(f"{path} has come to be there meanwhile", hint="Name another file.")
        scratch.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        if says_disk_full(error):
            raise _no_room(path) from error
        raise
    finally:
        scratch.unlink(missing_ok=True)
        engine.dispose()
    return WrittenBackup(path, head, contents, size, lost)


def can_be_restored(key: str) -> bool:
    """Whether a file may be put there: the key is one that is made here, and goes nowhere else."""
    return is_ours(key) and key.isprintable() and PurePosixPath(key).name not in {".", ".."}


@contextmanager
def _holding_files(engine: Engine) -> Iterator[None]:
    """Keep everybody from deleting files; the server lets go of it however this process ends.

    Raises:
        BackupRefused: it cannot be had.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
        holder.execute(text(f"SET lock_timeout = '{HOLD_SECONDS:g}s'"))
        try:
            holder.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": HOLD})
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03":
                raise
            hint = "Wait until it is done."
            raise BackupRefused("another backup of this database is being made", hint=hint) from None
        yield
        # Raises where the server went away and files were not held. The end of the connection lets go too, but later.
        holder.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": HOLD})


def _write(
    engine: Engine, artifacts: ArtifactStore, writer: Writer, path: Path, tell: Tell, *, allow_missing: bool
) -> tuple[Head, Contents, list[str]]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL timezone = 'UTC'"))
        head = Head(format=FORMAT, pedigree=version("pedigree"), revision=_checked_revision(connection), made_at=_now())
        writer.add(HEAD, iter([_json(head)]))
        tables = tables_of(connection, Run.metadata.tables)
        rows = list(_write_tables(connection, tables, writer, tell))
        sequences = last_numbers(connection, tables)
        with Session(connection) as session:
            named = named_files(session)
    sizes = {file.key: size_of(artifacts, file) for file in named}
    _check_room(path, sum(sizes.values()))
    files = _write_files(artifacts, writer, named, sizes, tell)
    missing = _still_named(engine, [file for file in files.absent if file.is_needed])
    if missing and not allow_missing:
        raise _incomplete(missing)
    contents = Contents(
        tables=rows, sequences=sequences, files=files.stored, missing=[file.key for file in files.absent]
    )
    text_ = _json(contents)
    writer.add(CONTENTS, iter([text_]))
    writer.add(CHECK, iter([sha256(text_).hexdigest().encode()]))
    writer.close()
    return head, contents, [file.key for file in missing]


def _write_tables(connection: Connection, tables: list[Table], writer: Writer, tell: Tell) -> Iterator[TablePart]:
    for number, table in enumerate(tables):
        tell("rows", number, len(tables))
        rows = 0

        def counted(parts: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal rows
            for part in parts:
                rows += part.count(b"\n")  # within a value it is written as two letters
                yield part

        size, digest = writer.add(f"{TABLES}{table.name}", counted(copy_out(connection, table)))
        yield TablePart(name=table.name, columns=table.columns, rows=rows, bytes=size, sha256=digest)
    tell("rows", len(tables), len(tables))


def _write_files(
    artifacts: ArtifactStore, writer: Writer, named: list[NamedFile], sizes: dict[str, int], tell: Tell
) -> _Files:
    found, done, total = _Files(), 0, sum(sizes.values())

    def told(parts: Iterator[bytes], before: int) -> Iterator[bytes]:
        for part in parts:
            yield part
            before += len(part)
            tell("files", before, total)

    for file in named:
        try:
            size, digest = writer.add(f"{FILES}{file.key}", told(_content(artifacts, file), done))
        except ArtifactMissing:
            found.absent.append(file)
        else:
            found.stored.append(FilePart(key=file.key, bytes=size, sha256=digest))
        done += sizes[file.key]
        tell("files", done, total)
    return found


def _content(artifacts: ArtifactStore, file: NamedFile) -> Iterator[bytes]:
    """A file as it is stored.

    Raises:
        ArtifactMissing: it is not there, it is not what the record says, or it lies where Pedigree keeps nothing.
    """
    if not can_be_restored(file.key):
        raise ArtifactMissing(f"{file.key} is no key of ours")
    digest, size = sha256(), artifacts.size_of(file.key)
    for part in artifacts.pieces(file.key, size):
        digest.update(part)
        yield part
    if file.sha256 is not None and digest.hexdigest() != file.sha256:
        raise ArtifactMissing(f"{file.key} is damaged")


def size_of(artifacts: ArtifactStore, file: NamedFile) -> int:
    """A file's bytes, as the record or else the store says; 0 where neither does."""
    try:
        return artifacts.size_of(file.key) if file.bytes is None else file.bytes
    except ArtifactMissing:
        return 0


def _still_named(engine: Engine, absent: list[NamedFile]) -> list[NamedFile]:
    """Those of the files that the record still names: an import drops a bad archive before it says that it failed."""
    if not absent:
        return []
    with Session(engine) as session:
        now = {file.key for file in named_files(session)}
    return [file for file in absent if file.key in now]


def _checked_revision(connection: Connection) -> str:
    """The schema's revision.

    Raises:
        BackupRefused: it is not this version's own.
    """
    found, newest = schema_of(connection), known_revisions()[0]
    if found != newest:
        there = "has no schema" if found is None else f"has the schema {found}"
        detail = f"the database {there}, and this version of Pedigree works with {newest}"
        raise BackupRefused(detail, hint="Start the service once with this version, or make the backup with the other.")
    return found


def _check_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed + SPARE_BYTES:
        raise _no_room(path, needed)


def _no_room(path: Path, needed: int | None = None) -> NoRoom:
    free = shutil.disk_usage(path.parent).free
    wanted = "" if needed is None else f", which takes {needed / 2**20:.0f} MiB"
    detail = f"the disk of {path.parent} has no room for the backup{wanted}: {free / 2**20:.0f} MiB are free"
    return NoRoom(detail, hint="Make room there, or name a place on a larger disk.")


def _incomplete(missing: list[NamedFile]) -> BackupRefused:
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    detail = f"the artifact store lacks {missing[0].key}{more}, or has it damaged, and the record names it"
    hint = "Check that ARTIFACTS_URL names this database's store; --allow-missing makes a backup without."
    return BackupRefused(detail, hint=hint)


def _sync_folder(folder: Path) -> None:
    """Else a power failure could take the name away again."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _json(part: Head | Contents) -> bytes:
    return part.model_dump_json().encode()


def _now() -> datetime:
    return datetime.now(UTC)
