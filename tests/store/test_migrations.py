from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

from migrations.engine import downgrade, make_config, upgrade
from store.db.models import Run


@pytest.fixture
def empty_database(engine: Engine) -> Any:  # noqa: ANN401 - pytest's generator
    """The address of a database of its own, dropped afterwards."""
    name = f"migrations_{uuid4().hex}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield engine.url.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name}"))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def look(url: str) -> tuple[set[str], list[Any]]:
    """The tables, and what autogenerate would still change."""
    engine = create_engine(make_url(url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            return tables(connection), compare_metadata(context, Run.metadata)
    finally:
        engine.dispose()


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(make_config()).get_heads()) == 1


def test_up_down_up_and_no_drift(empty_database: str) -> None:
    upgrade(empty_database)
    ours = {table.name for table in Run.metadata.sorted_tables}
    assert look(empty_database) == (ours, [])
    downgrade(empty_database, "base")
    assert look(empty_database)[0] == set()
    upgrade(empty_database)
    assert look(empty_database) == (ours, [])


def test_two_at_once_are_safe(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(upgrade, empty_database) for _ in range(2)]:
            done.result(timeout=60)
    assert look(empty_database)[1] == []
