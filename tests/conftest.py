"""Real servers for the whole session, a clean database and broker for each test."""

import ctypes
import gc
import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

import hypothesis
import pytest
import redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from cli.servers import Postgres, Redis
from cli.shell import OF_OTHER_PROGRAMS, POSTGRES, drop_variables
from migrations.engine import upgrade
from store.artifacts import ArtifactStore
from store.db.models import Run
from store.db.session import make_engine, make_sessions
from store.settings import Settings
from tests.interrupts import let_commands_hear_interrupts
from tests.order import long_first

PROXIES = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)
REPOSITORY = Path(__file__).parent.parent
CHROMIUM = (
    os.environ.get("PEDIGREE_TEST_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
)
"""The same browser either way; without a window, a page takes half of the processor's time."""
WHOLE_CHROMIUM = os.environ.get("PEDIGREE_TEST_CHROMIUM") or shutil.which("chromium")
"""The one that keeps a page that is left, to show it again as it was: the headless shell does not."""
SHARED = Path(os.environ.get("PEDIGREE_TEST_SHARED") or REPOSITORY.parent / "shared")
EMPTY = "; ".join(
    [
        # All rows go, so that nobody need look whether one is still referred to.
        "SET LOCAL session_replication_role = replica",
        *(str(table.delete()) for table in Run.metadata.sorted_tables),
        """SELECT setval((quote_ident(schemaname) || '.' || quote_ident(sequencename))::regclass, start_value, false)
           FROM pg_sequences WHERE last_value IS NOT NULL""",
    ]
)
"""Most tables have no rows after a test; a TRUNCATE of them all would write new files for each."""

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("pedigree", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pedigree")


give_back_memory = partial(getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0), 0)
"""glibc keeps what is freed, in each thread's arena: thousands of tests in one process would come to gigabytes."""

# What is imported for the tests stays: the garbage collector need not look at it again and again.
gc.disable()

ALLOCATIONS = 50_000
"""So many more objects before it looks: a test that reads all sources makes millions, and keeps most to its end."""

LONG_SECONDS = 900
"""A test that is long anyway may take three times as long as others on a busy machine before it counts as hanging."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """From here on there is garbage."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(ALLOCATIONS)
        gc.enable()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What a file's tests leave for good is not looked at in those of the next: it would be, again and again."""
    yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()
        give_back_memory()


@pytest.hookimpl(trylast=True)  # what a mark leaves out is gone by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run, rather than count it as skipped."""
    absent = set()
    if not (SHARED / "pets").is_dir():
        absent.add("photos")
    if CHROMIUM is None:
        absent.add("browser")
    if WHOLE_CHROMIUM is None:
        absent.add("whole_browser")
    if shutil.which("npm") is None:
        absent.add("npm")
    if any(item.get_closest_marker("gpu") for item in items) and not import_module("torch").cuda.is_available():
        absent.add("gpu")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in absent)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))
    long_first(config, items)


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_outside(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The shell that runs the tests decides nothing in them, and no stack of its user is found or noted."""
    let_commands_hear_interrupts()
    drop_variables(*OF_OTHER_PROGRAMS, POSTGRES, PROXIES)
    for name in ("PEDIGREE_URL", "PEDIGREE_DATA", "PEDIGREE_KEY", "PEDIGREE_KEY_FILE"):
        os.environ.pop(name, None)
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session", autouse=True)
def freed_memory_goes_back() -> Iterator[None]:
    """A training has malloc keep what it frees for the rest of a process's life; here many tests follow in it."""
    with pytest.MonkeyPatch.context() as patched:
        # Who trains in this process has imported it by now; for all others it would bring in torch.
        if (memory := sys.modules.get("ml.learn.memory")) is not None:
            patched.setattr(memory, "_malloc_is_set", lambda: True)
        yield


@pytest.fixture(scope="session", autouse=True)
def priority_stays() -> Iterator[None]:
    """A test that makes this process give way makes all that follow wait for the other processes' tests."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real photos and what was measured elsewhere; only for tests marked ``photos``."""
    return SHARED


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database in a server of this test process."""
    server = Postgres(tmp_path_factory.mktemp("postgres") / "data")
    url = server.start()
    try:
        upgrade(_settings(url, "redis://unused", Path("/unused")).database_url)
        yield url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this test process."""
    server = Redis(tmp_path_factory.mktemp("redis") / "data")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(_settings(postgres_url, "redis://unused", Path("/unused")))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def settings_of_session(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Read and validated once, which takes longer than many a test."""
    return _settings(postgres_url, redis_url, tmp_path_factory.mktemp("data_of_session"))


@pytest.fixture
def settings(settings_of_session: Settings, redis_url: str, engine: Engine, tmp_path: Path) -> Settings:
    """Settings of a stack with an empty database, an empty broker and folders of its own."""
    with engine.begin() as connection:
        connection.exec_driver_sql(EMPTY)
    with redis.Redis.from_url(redis_url.replace("redis+socket://", "unix://")) as broker:
        broker.flushall()
    own = {"artifacts_url": (tmp_path / "artifacts").as_uri(), "cache": tmp_path / "cache"}
    return settings_of_session.model_copy(update=own)


@pytest.fixture
def sessions(settings: Settings, engine: Engine) -> sessionmaker[Session]:
    """Sessions on the clean database; other processes see what they commit."""
    assert settings.database_url
    return make_sessions(engine)


@pytest.fixture
def artifacts(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.artifacts_url)


def environment_of(settings: Settings, **changes: str) -> dict[str, str]:
    """The environment in which a process of the stack has these settings."""
    fields = type(settings).model_fields
    values = {str(field.alias): getattr(settings, name) for name, field in fields.items()}
    return {**os.environ, **{name: str(value) for name, value in values.items() if value is not None}, **changes}


def _settings(database_url: str, redis_url: str, folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database_url,
            "redis_url": redis_url,
            "artifacts_url": (folder / "artifacts").as_uri(),
            "cache": folder / "cache",
            "weights": None,
            "device": "cpu",
        }
    )
