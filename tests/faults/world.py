"""The whole service as real processes, to which a fault may do anything, and which are started again where they end."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from cli.errors import StackError
from cli.ports import listen, port_of
from cli.processes import kill_group, start_process, wait_until
from cli.servers import PG_SOCKET, Postgres, Redis, sockets_of
from cli.services import API_STOP, HOUSE, REPAIR_STOP, WORKER_STOP, Part, Service
from migrations.engine import upgrade
from store.artifacts import ArtifactStore
from store.db.session import make_engine, make_sessions
from store.queue import make_celery
from store.settings import Settings
from tests.faults.gate import Gate
from tests.store.s3 import CREDENTIALS
from tests.worker.processes import job_process_of

Store = Literal["folder", "s3"]
APIS = ("api-1", "api-2")
TRAINERS = ("worker-1", "worker-2")
WORKERS = (*TRAINERS, "worker-light")
BUCKET = "artifacts"
LOOK_SECONDS = 0.05
START_SECONDS = 90.0
QUICK = {
    "PEDIGREE_LEASE_SECONDS": "8",
    "PEDIGREE_REPAIR_SECONDS": "0.5",
    "PEDIGREE_CHECKPOINT_SECONDS": "1",
    "PEDIGREE_SILENCE_SECONDS": "300",
    "PEDIGREE_DEVICE": "cpu",
    "OMP_NUM_THREADS": "1",
}
"""Losses are noticed within seconds; a lease is longer than a machine that is busy with learning takes to renew it."""
ENDPOINT = "AWS_ENDPOINT_URL"


@dataclass
class World:
    """Two APIs, two workers that train, one for imports, a repair process, Postgres, Redis and an artifact store.

    Every process reaches the servers through gates; ``settings``, ``sessions``, ``celery`` and ``artifacts`` are the
    test's own and go past them. Parts are started from the main thread, to which the kernel ties their lives.
    """

    folder: Path
    store: Store
    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    celery: Celery
    artifacts: ArtifactStore
    gates: dict[str, Gate]
    parts: dict[str, Part] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    started_again: list[str] = field(default_factory=list)

    def pid(self, name: str) -> int:
        """The process of a part that was started."""
        process = self.parts[name].process
        assert process is not None
        return process.pid

    def is_up(self, name: str) -> bool:
        """Whether a part's process is there."""
        process = self.parts[name].process
        return process is not None and process.poll() is None

    def jobs_in_hand(self) -> list[int]:
        """The processes of the jobs that workers have in hand."""
        found = [job_process_of(self.pid(name)) for name in WORKERS if self.is_up(name)]
        return [pid for pid in found if pid is not None]

    def revive(self) -> None:
        """Start again what has ended, as whoever operates a service has it done."""
        for name in [name for name in self.parts if not self.is_up(name)]:
            self.started_again.append(name)
            with suppress(StackError):  # what it needs is not there yet: the next look tries again
                self.parts[name].start()

    def is_well(self) -> bool:
        """Whether all processes are up, and both APIs say that they have all that they need but a model."""
        return all(map(self.is_up, self.parts)) and all(map(_is_ready, self.urls))

    def until_well(self, seconds: float) -> float | None:
        """Start again what ends, and wait until all is well; how long that took, None where it did not happen."""
        began = time.monotonic()
        while not self.is_well():
            if time.monotonic() - began > seconds:
                return None
            self.revive()
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def said(self, name: str) -> str:
        """All that a part has said."""
        return self.parts[name].log.read_text(errors="replace")


@contextmanager
def world(folder: Path, store: Store) -> Iterator[World]:
    """A world on an empty folder, gone after the block with all its processes.

    Args:
        folder: with a path short enough for sockets.
        store: where artifacts lie: in a folder, or in a bucket of an S3 server.
    """
    with ExitStack() as held:
        postgres, redis = Postgres(folder / "postgres"), Redis(folder / "redis")
        held.callback(postgres.stop)
        held.callback(redis.stop)
        own = {"DATABASE_URL": postgres.start(), "REDIS_URL": redis.start(), **_folders(folder), **QUICK}
        gates, theirs = _gates(folder, own, held)
        if store == "s3":
            _add_bucket(folder, own, theirs, gates, held)
        settings = Settings.model_validate(own)
        upgrade(settings.database_url)
        engine = make_engine(settings)
        held.callback(engine.dispose)
        with _environment(own):
            artifacts = ArtifactStore(settings.artifacts_url)
        made = World(folder, store, settings, engine, make_sessions(engine), make_celery(settings), artifacts, gates)
        made.parts |= {"postgres": postgres, "redis": redis}
        _start_services(made, {**os.environ, **theirs}, held)
        if made.until_well(START_SECONDS) is None:
            message = f"the service did not start: {[part.log.read_text()[-2000:] for part in made.parts.values()]}"
            raise AssertionError(message)
        made.started_again.clear()
        yield made


def _folders(folder: Path) -> dict[str, str]:
    return {"ARTIFACTS_URL": (folder / "artifacts").as_uri(), "PEDIGREE_CACHE": str(folder / "cache")}


def _gates(folder: Path, own: dict[str, str], held: ExitStack) -> tuple[dict[str, Gate], dict[str, str]]:
    """The gates of Postgres and Redis, and the settings of who goes through them."""
    behind = folder / "gates"
    behind.mkdir()
    sockets = sockets_of(folder / "postgres")
    assert sockets is not None
    gates = {
        "postgres": Gate(sockets / PG_SOCKET, behind / PG_SOCKET),
        "redis": Gate(Path(own["REDIS_URL"].removeprefix("redis+socket://")), behind / "redis.sock"),
    }
    for gate in gates.values():
        held.callback(gate.close)
    theirs = {
        "DATABASE_URL": f"postgresql://postgres@/pedigree?host={behind}",
        "REDIS_URL": f"redis+socket://{behind / 'redis.sock'}",
    }
    return gates, {**own, **theirs}


def _add_bucket(
    folder: Path, own: dict[str, str], theirs: dict[str, str], gates: dict[str, Gate], held: ExitStack
) -> None:
    """An S3 server that is never ended, since it keeps nothing on disk; what happens to it happens at its gate."""
    listener = listen(0, lambda _: None)
    port = port_of(listener)
    listener.close()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = start_process(command, log=folder / "s3.log", cwd=HOUSE)
    held.callback(kill_group, server)
    endpoint = f"http://127.0.0.1:{port}"
    assert wait_until(lambda: _answers(endpoint), START_SECONDS), "the S3 server did not start"
    httpx.put(f"{endpoint}/{BUCKET}", trust_env=False).raise_for_status()
    gates["store"] = Gate(port)
    held.callback(gates["store"].close)
    url = {"ARTIFACTS_URL": f"s3://{BUCKET}/prefix", **CREDENTIALS}
    own |= {**url, ENDPOINT: endpoint}
    theirs |= {**url, ENDPOINT: f"http://127.0.0.1:{gates['store'].address}"}


def _start_services(made: World, environment: dict[str, str], held: ExitStack) -> None:
    services: dict[str, Service] = {}
    for name in APIS:
        listener = listen(0, lambda _: None)
        held.callback(listener.close)
        made.urls.append(f"http://127.0.0.1:{port_of(listener)}")
        arguments = ["api", "--fd", str(listener.fileno())]
        services[name] = Service(arguments, environment, made.folder / f"{name}.log", API_STOP, listener.fileno())
    for name in WORKERS:
        arguments = ["worker", "--lane", "light" if name == "worker-light" else "train"]
        services[name] = Service(arguments, environment, made.folder / f"{name}.log", WORKER_STOP)
    services["repair"] = Service(["worker.repair"], environment, made.folder / "repair.log", REPAIR_STOP)
    for name, service in services.items():
        held.callback(service.stop)
        service.start()
        made.parts[name] = service


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """What the artifact store's library reads of the environment when it is opened."""
    before = dict(os.environ)
    os.environ.update({name: value for name, value in values.items() if name.startswith("AWS_")})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2.0, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def _is_ready(url: str) -> bool:
    try:
        said = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False).json()
    except (httpx.TransportError, ValueError):
        return False
    parts = said.get("parts", {})
    return bool(parts) and all(found == "ok" for name, found in parts.items() if name != "model")
