"""The database's rows, out of one snapshot and into an empty schema, by COPY.

COPY takes values and nothing else: whatever a backup holds, it cannot make the server do anything but add rows.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from backup.description import BackupInvalid, Contents, TablePart

NOT_TAKEN = frozenset({"alembic_version", "key_sessions", "sign_ins", "workers"})
"""The schema's own, and what ends with the processes that it is about."""
COPY_BYTES = 1024 * 1024

_TABLES = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' GROUP BY c.relname"""
_REFERRED = """
SELECT child.relname, parent.relname FROM pg_constraint AS k
JOIN pg_class AS child ON child.oid = k.conrelid JOIN pg_class AS parent ON parent.oid = k.confrelid
WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace"""
_SEQUENCES = """
SELECT s.relname, t.relname, a.attname FROM pg_class AS s
JOIN pg_depend AS d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
JOIN pg_class AS t ON t.oid = d.refobjid JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace"""


@dataclass(frozen=True)
class Table:
    """A table and those of its columns that hold what was written there."""

    name: str
    columns: list[str]


def tables_of(connection: Connection, among: Collection[str] | None = None) -> list[Table]:
    """Every table that a backup holds, or those ``among`` them; one that others refer to before those."""
    columns: dict[str, list[str]] = {
        name: found
        for name, found in connection.execute(text(_TABLES))
        if name not in NOT_TAKEN and (among is None or name in among)
    }
    before: dict[str, set[str]] = {name: set() for name in sorted(columns)}
    for child, parent in connection.execute(text(_REFERRED)):
        if child in before and parent in before and child != parent:
            before[child].add(parent)
    return [Table(name, columns[name]) for name in TopologicalSorter(before).static_order()]


def copy_out(connection: Connection, table: Table) -> Iterator[bytes]:
    """A table's rows in Postgres' text format, in parts of about a MiB."""
    with _cursor(connection) as cursor, cursor.copy(_statement(table, "TO STDOUT")) as copied:
        collected = bytearray()
        for row in copied:
            collected += row
            if len(collected) >= COPY_BYTES:
                yield bytes(collected)
                collected.clear()
        yield bytes(collected)


def last_numbers(connection: Connection, tables: Collection[Table]) -> dict[str, int]:
    """What each sequence of the tables gave last; 0 where it gave none."""
    numbers, names = {}, {table.name for table in tables}
    for name, table, _ in connection.execute(text(_SEQUENCES)):
        if table in names:
            quoted = connection.dialect.identifier_preparer.quote(name)
            last, was_given = connection.execute(text(f"SELECT last_value, is_called FROM {quoted}")).one()  # noqa: S608 - quoted
            numbers[name] = last if was_given else last - 1
    return numbers


def copy_in(connection: Connection, part: TablePart, parts: Iterator[bytes]) -> None:
    """Add a table's rows.

    Raises:
        BackupInvalid: they do not fit the table, or are of another number.
    """
    with _cursor(connection) as cursor:
        try:
            with cursor.copy(_statement(Table(part.name, part.columns), "FROM STDIN")) as copied:
                for data in parts:
                    copied.write(data)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise BackupInvalid(
                f"rows of {part.name} do not fit: {_said(error)}", hint="Restore another backup."
            ) from None
        if cursor.rowcount != part.rows:
            detail = f"{part.name} has {cursor.rowcount} rows, and the backup's list says {part.rows}"
            raise BackupInvalid(detail, hint="Restore another backup.")


def check_tables(connection: Connection, contents: Contents) -> None:
    """See whether the backup has exactly the tables and columns of the schema, and its sequences.

    Raises:
        BackupInvalid: it has others.
    """
    tables = tables_of(connection)
    here = {table.name: set(table.columns) for table in tables}
    there = {part.name: set(part.columns) for part in contents.tables}
    wrong = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    wrong += sorted(last_numbers(connection, tables).keys() ^ contents.sequences.keys())
    if wrong:
        detail = f"the backup does not fit the schema that it names: {', '.join(wrong[:3])}"
        raise BackupInvalid(detail, hint="Restore another backup.")


def go_on_counting(connection: Connection, numbers: dict[str, int]) -> None:
    """Have each sequence give a number above all that it gave and all that stand in its column."""
    quote = connection.dialect.identifier_preparer.quote
    for name, table, column in connection.execute(text(_SEQUENCES)):
        if name in numbers:
            highest = f"(SELECT coalesce(max({quote(column)}), 0) FROM {quote(table)})"  # noqa: S608 - quoted
            next_one = f"SELECT setval(CAST(:name AS regclass), greatest(CAST(:last AS bigint), {highest}) + 1, false)"
            connection.execute(text(next_one), {"name": quote(name), "last": numbers[name]})


def count_rows(connection: Connection) -> int:
    """Rows of all tables, those that no backup holds apart."""
    quote = connection.dialect.identifier_preparer.quote
    counts = [f"(SELECT count(*) FROM {quote(table.name)})" for table in tables_of(connection)]  # noqa: S608 - quoted
    return int(connection.scalar(text(f"SELECT {' + '.join(counts or ['0'])}")) or 0)


def _cursor(connection: Connection) -> psycopg.Cursor[Any]:
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg is asked for
    return raw.cursor()


def _statement(table: Table, where: str) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    return sql.SQL("COPY {} ({}) {}").format(sql.Identifier(table.name), columns, sql.SQL(where))


def _said(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).splitlines()[0]
