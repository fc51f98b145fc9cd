import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

import api.__main__ as api
from migrations.__main__ import main as migrate
from migrations.engine import downgrade, make_config, upgrade
from migrations.schema import SchemaUnfit, check_at_start, known_revisions
from store.db.models import Run
from store.settings import Settings, load_settings
from tests.conftest import REPOSITORY, environment_of
from tests.patience import PATIENCE_SECONDS
from worker import repair

NEWER = (
    f"the database has the schema 9999 of a newer version, and this one's newest is {known_revisions()[0]}."
    " Install that version, or restore a backup from before it."
)


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


def test_the_known_revisions_are_those_of_the_files() -> None:
    scripts = ScriptDirectory.from_config(make_config()).walk_revisions()
    assert known_revisions() == [script.revision for script in scripts]


@pytest.fixture
def newer_database(empty_database: str) -> str:
    """One whose schema no version knows yet."""
    statements(
        empty_database,
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('9999')",
    )
    return empty_database


@pytest.fixture
def newer(newer_database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of a process on such a database, which is this one's too."""
    environment = environment_of(settings, DATABASE_URL=newer_database)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    yield environment
    load_settings.cache_clear()


@pytest.mark.parametrize(
    ("start", "said"), [(migrate, NEWER), (api.main, f"schema_unfit: {NEWER}"), (repair.main, NEWER)]
)
def test_what_starts_on_a_database_of_a_newer_version_ends_with_one_line(
    newer: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[[], int],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["python -m"])
    for module, later in ((api, "settle"), (repair, "Repair")):  # what would go on until somebody ends it
        monkeypatch.setattr(module, later, None)
    assert start() == 1
    assert capsys.readouterr().err == f"{said}\n"
    assert look(newer["DATABASE_URL"])[0] == set()
    assert statements(newer["DATABASE_URL"], "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.thorough
def test_a_worker_on_a_database_of_a_newer_version_ends_with_one_line(newer: dict[str, str]) -> None:
    command = [sys.executable, "-m", "worker"]
    done = subprocess.run(command, cwd=REPOSITORY, env=newer, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{NEWER}\n")


def test_nothing_starts_on_another_schema_and_all_does_where_none_can_be_told(
    empty_database: str, settings: Settings
) -> None:
    with pytest.raises(SchemaUnfit, match="no schema") as refused:
        check_at_start(empty_database)
    assert "`python -m migrations`" in str(refused.value.hint)
    upgrade(empty_database, "0001")
    with pytest.raises(SchemaUnfit, match="has the schema 0001, and this version needs "):
        check_at_start(empty_database)
    check_at_start(settings.database_url)
    check_at_start("postgresql+psycopg://nobody@127.0.0.1:1/none")


def test_up_down_up_and_no_drift(empty_database: str) -> None:
    upgrade(empty_database)
    ours = {table.name for table in Run.metadata.sorted_tables}
    assert look(empty_database) == (ours, [])
    downgrade(empty_database, "base")
    assert look(empty_database)[0] == set()
    upgrade(empty_database)
    assert look(empty_database) == (ours, [])


def statements(url: str, *lines: str) -> list[Any]:
    """Run them in one transaction; the rows of the last."""
    engine = create_engine(make_url(url))
    try:
        with engine.begin() as connection:
            *first, last = [connection.execute(text(line)) for line in lines]
            del first
            return [tuple(row) for row in last] if last.returns_rows else []
    finally:
        engine.dispose()


def test_a_record_of_the_first_schema_lives_on_in_the_second_and_back(empty_database: str) -> None:
    upgrade(empty_database, "0001")
    statements(
        empty_database,
        "INSERT INTO datasets (id, name, revision, drawn, label_rule, vocab, items, summary)"
        " VALUES (7, 'pets', 'r', false, '{}', '[]', 1, '{}'), (8, 'others', 'r', false, '{}', '[]', 1, '{}')",
        "INSERT INTO runs (id, kind, dataset_id, config) VALUES (3, 'train', 7, '{}')",
        "INSERT INTO jobs (id, kind, run_id, payload, state, attempt, max_attempts)"
        " VALUES (5, 'train', 3, '{}', 'succeeded', 1, 3)",
        "INSERT INTO epochs VALUES (3, 0, 0, 1, 1, 0.5, 9, 4)",
        "INSERT INTO interpretations (run_id, job_id, vocab, matrix, items, valid_loss, error_rate, tta)"
        " VALUES (3, 5, '[]', '[]', '[]', 1, 0.5, false)",
    )
    upgrade(empty_database)
    own = "SELECT run_id, dataset_id, error_rate FROM interpretations ORDER BY dataset_id"
    assert statements(empty_database, own) == [(3, 7, 0.5)]
    assert statements(empty_database, "SELECT seconds, peak_memory_bytes FROM epochs") == [(9.0, None)]
    statements(
        empty_database,
        "INSERT INTO interpretations (run_id, dataset_id, job_id, vocab, matrix, items, valid_loss, error_rate, tta)"
        " VALUES (3, 8, 5, '[]', '[]', '[]', 1, 0.75, true)",
    )
    assert len(statements(empty_database, own)) == 2
    downgrade(empty_database, "0001")
    assert statements(empty_database, "SELECT run_id, error_rate FROM interpretations") == [(3, 0.5)]


def test_what_was_timed_lives_on_without_its_question_and_back(empty_database: str) -> None:
    upgrade(empty_database, "0005")
    statements(
        empty_database,
        "INSERT INTO calibration_requests (id, settings, answered_at) VALUES"
        """ (3, '{"precision": "auto"}', now()), (4, '{}', now()), (9, '{"precision": "fp32"}', NULL)""",
        "INSERT INTO calibrations SELECT id, request, 'resnet18', 224, 460, 64, true, 'cpu', 'bf16', 4, 9, '[4]', 64"
        " FROM (VALUES (1, 3), (2, 3), (3, 4)) AS made (id, request)",
        "SELECT setval('calibrations_id_seq', 3)",
    )
    upgrade(empty_database, "0006")
    asked = "SELECT id, precision, precision_asked, accumulation FROM throughputs ORDER BY id"
    assert statements(empty_database, asked) == [(1, "bf16", "auto", 1), (2, "bf16", "auto", 1), (3, "bf16", "bf16", 1)]
    statements(
        empty_database,
        "INSERT INTO throughputs SELECT nextval('throughputs_id_seq'), arch, size, presize, batch_size,"
        ' "freeze", device, precision, images_per_second, valid_images_per_second, step_images_per_second,'
        " step_pictures,"
        " peak_memory_bytes, created_at, accumulation, precision_asked FROM throughputs WHERE id = 1",
        "INSERT INTO jobs (id, kind, payload, state, attempt, max_attempts)"
        " VALUES (5, 'forecast', '{}', 'succeeded', 1, 3), (6, 'import', '{}', 'succeeded', 1, 3)",
    )
    downgrade(empty_database, "0005")
    joined = "SELECT c.id, r.settings ->> 'precision', r.answered_at IS NULL FROM calibrations AS c"
    joined += " JOIN calibration_requests AS r ON r.id = c.request_id ORDER BY c.id"
    assert statements(empty_database, joined) == [
        (1, "auto", False),
        (2, "auto", False),
        (3, "bf16", False),
        (4, "auto", False),
    ]
    assert statements(empty_database, "SELECT kind FROM jobs") == [("import",)]
    new = "INSERT INTO calibration_requests (settings) VALUES ('{}') RETURNING id"
    assert statements(empty_database, new) == [(5,)]
    upgrade(empty_database)
    assert len(statements(empty_database, "SELECT id FROM throughputs")) == 4


def test_two_at_once_are_safe(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(upgrade, empty_database) for _ in range(2)]:
            done.result(timeout=PATIENCE_SECONDS)
    assert look(empty_database)[1] == []


def test_what_aliases_point_at_can_be_rolled_back_to_and_back(empty_database: str) -> None:
    upgrade(empty_database, "0006")
    statements(
        empty_database,
        "INSERT INTO datasets (id, name, revision, drawn, label_rule, vocab, items, summary)"
        " VALUES (7, 'pets', 'r', false, '{}', '[]', 1, '{}')",
        "INSERT INTO runs (id, kind, dataset_id, config) VALUES (3, 'train', 7, '{}')",
        "INSERT INTO model_versions (id, run_id) VALUES (1, 3)",
        "INSERT INTO model_aliases (alias, version) VALUES ('production', 1), ('best', 1)",
    )
    upgrade(empty_database)
    found = "SELECT alias, how, version, before_id FROM alias_moves ORDER BY alias"
    assert statements(empty_database, found) == [("best", "pointed", 1, None), ("production", "pointed", 1, None)]
    downgrade(empty_database, "0006")
    assert statements(empty_database, "SELECT alias FROM model_aliases ORDER BY alias") == [("best",), ("production",)]
