"""The faults by name, each with a way to do it to a world."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import redis
from sqlalchemy import select, text, update

from store.db.models import Job
from store.lanes import UNQUEUED_KINDS, lane_of
from store.queue import publish_job
from tests.faults.gate import Gate, Moment, Way
from tests.faults.world import APIS, TRAINERS, WORKERS, Store, World
from tests.worker.processes import children_of, job_process_of

LONGEST_SECONDS = 3.0
"""That a process is stopped, or a server out of reach."""
TRAP_SECONDS = 12.0
"""That a fault waits for an upload to happen to."""
CONNECTIONS = 120
"""More than Postgres gives."""

Do = Callable[[World, random.Random], bool]
"""Does it; false where there was nothing to do it to."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong. Of a ``kind`` are those that differ only in what they are done to."""

    name: str
    kind: str
    do: Do
    store: Store | None = None
    """The only store that it can be done with."""


def faults_of(store: Store) -> list[Fault]:
    """All that can be done to a world with this store."""
    return [fault for fault in FAULTS if fault.store in {None, store}]


def _signal(names: tuple[str, ...], how: signal.Signals) -> Do:
    def do(world: World, chance: random.Random) -> bool:
        os.kill(world.pid(chance.choice(names)), how)
        return True

    return do


def _stop(names: tuple[str, ...]) -> Do:
    def do(world: World, chance: random.Random) -> bool:
        pid = world.pid(chance.choice(names))
        with _stopped([pid]):
            time.sleep(chance.uniform(0.2, LONGEST_SECONDS))
        return True

    return do


def _stop_past_its_lease(world: World, chance: random.Random) -> bool:
    """A worker that sleeps while its job's process goes on: the lease runs out, and another attempt begins."""
    with _stopped([world.pid(chance.choice(TRAINERS))]):
        time.sleep(1.5 * world.settings.lease_seconds)
    return True


def _kill_job(world: World, chance: random.Random) -> bool:
    return _to_a_job(world, chance, lambda pid: os.kill(pid, signal.SIGKILL))


def _stop_job(world: World, chance: random.Random) -> bool:
    def stop(pid: int) -> None:
        with _stopped([pid]):
            time.sleep(chance.uniform(0.2, LONGEST_SECONDS))

    return _to_a_job(world, chance, stop)


def _to_a_job(world: World, chance: random.Random, what: Callable[[int], None]) -> bool:
    deadline = time.monotonic() + TRAP_SECONDS
    while not (jobs := world.jobs_in_hand()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    time.sleep(chance.uniform(0.0, 1.0))
    with suppress(ProcessLookupError):
        what(chance.choice(jobs))
    return True


@contextmanager
def _stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _stop_postgres(world: World, chance: random.Random) -> bool:
    server = world.pid("postgres")
    with _stopped([server, *children_of(server)]):
        time.sleep(chance.uniform(0.2, LONGEST_SECONDS))
    return True


def _kill_backend(world: World, chance: random.Random) -> bool:
    backends = backends_of(world)
    if backends:
        os.kill(chance.choice(backends), signal.SIGKILL)
    return bool(backends)


def backends_of(world: World) -> list[int]:
    """The processes by which Postgres serves the service."""
    asked = text("SELECT pid FROM pg_stat_activity WHERE datname = 'pedigree' AND pid <> pg_backend_pid() ORDER BY pid")
    with world.engine.connect() as connection:
        return list(connection.execute(asked).scalars())


def _terminate_backends(world: World, _chance: random.Random) -> bool:
    asked = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with world.engine.connect() as connection:
        connection.execute(asked)
    return True


def _exhaust_connections(world: World, chance: random.Random) -> bool:
    """Take every connection that is left, and cut off the others, who then get none."""
    url = world.settings.database_url.replace("postgresql+psycopg:", "postgresql:")
    with ExitStack() as held:
        with suppress(psycopg.OperationalError):
            for _ in range(CONNECTIONS):
                held.enter_context(psycopg.connect(url, application_name="exhaust"))
        _cut(world.gates["postgres"])
        with suppress(psycopg.OperationalError):
            for _ in range(CONNECTIONS):
                held.enter_context(psycopg.connect(url, application_name="exhaust"))
        time.sleep(chance.uniform(0.2, LONGEST_SECONDS))
    return True


def _cut(gate: Gate) -> None:
    gate.set(Way.SHUT)
    gate.set(Way.OPEN)


def _flush(world: World, _chance: random.Random) -> bool:
    with redis.Redis.from_url(world.settings.redis_url.replace("redis+socket://", "unix://")) as broker:
        broker.flushall()
    return True


def _gate(name: str, way: Way) -> Do:
    def do(world: World, chance: random.Random) -> bool:
        gate = world.gates[name]
        gate.set(way)
        time.sleep(chance.uniform(0.2, LONGEST_SECONDS))
        gate.set(Way.OPEN)
        return True

    return do


def _move_store_away(world: World, chance: random.Random) -> bool:
    """A file lies where the folder was, so that nothing can be read, written or made there."""
    folder, aside = world.folder / "artifacts", world.folder / "artifacts.away"
    folder.rename(aside)
    folder.touch()
    time.sleep(chance.uniform(0.2, LONGEST_SECONDS))
    folder.unlink()
    aside.rename(folder)
    return True


def _kill_during(upload: str, moment: Moment) -> Do:
    """Kill a job's process while it uploads: a part of the file is on its way, or all of it and nobody was told."""

    def do(world: World, _chance: random.Random) -> bool:
        gate = world.gates["store"]
        trap = gate.trap(rf"PUT /\S*?/runs/(\d+)/{upload}\S*", moment)
        try:
            if not trap.caught.wait(TRAP_SECONDS):
                return False
            run = int(trap.found.split("/runs/")[1].split("/")[0])
            worker = _worker_of(world, run)
            job = None if worker is None else job_process_of(worker)
            if job is not None:
                os.kill(job, signal.SIGKILL)
            return job is not None
        finally:
            gate.untrap()

    return do


def _worker_of(world: World, run: int) -> int | None:
    """The process of the worker that has a run's job in hand."""
    with world.sessions.begin() as session:
        named = session.scalar(select(Job.worker).where(Job.run_id == run, Job.worker.is_not(None)))
    return None if named is None else int(named.rsplit(":", 1)[1])


def _deliver_again(world: World, _chance: random.Random) -> bool:
    """Every job's message once more, of those that have ended too."""
    with world.sessions.begin() as session:
        jobs = session.execute(select(Job.id, Job.kind).where(Job.kind.not_in(UNQUEUED_KINDS)).order_by(Job.id)).all()
    for job_id, kind in jobs[-10:]:
        publish_job(world.celery, job_id, lane_of(kind))
    return bool(jobs)


def _jump(by: timedelta) -> Do:
    """The database's clock, by which leases, rests and messages are judged, as seen from the rows of open jobs."""

    def do(world: World, _chance: random.Random) -> bool:
        moved = {
            column: getattr(Job, column) - by
            for column in ("lease_until", "not_before", "published_at", "created_at", "started_at")
        }
        with world.sessions.begin() as session:
            session.execute(update(Job).where(Job.finished_at.is_(None)).values(moved))
        return True

    return do


def _kill_all(world: World, _chance: random.Random) -> bool:
    for name in world.parts:
        with suppress(ProcessLookupError):
            os.kill(world.pid(name), signal.SIGKILL)
    return True


FAULTS = [
    Fault("API killed", "kill", _signal(APIS, signal.SIGKILL)),
    Fault("worker killed", "kill", _signal(WORKERS, signal.SIGKILL)),
    Fault("job's process killed", "kill", _kill_job),
    Fault("repair killed", "kill", _signal(("repair",), signal.SIGKILL)),
    Fault("Postgres killed", "kill", _signal(("postgres",), signal.SIGKILL)),
    Fault("Redis killed", "kill", _signal(("redis",), signal.SIGKILL)),
    Fault("Postgres's backend killed", "kill", _kill_backend),
    Fault("everything killed at once", "kill", _kill_all),
    Fault("API stopped for a while", "stop", _stop(APIS)),
    Fault("worker stopped for a while", "stop", _stop(WORKERS)),
    Fault("worker stopped past its lease", "stop", _stop_past_its_lease),
    Fault("job's process stopped for a while", "stop", _stop_job),
    Fault("repair stopped for a while", "stop", _stop(("repair",))),
    Fault("Postgres stopped for a while", "stop", _stop_postgres),
    Fault("Redis stopped for a while", "stop", _stop(("redis",))),
    Fault("API restarted", "restart", _signal(APIS, signal.SIGTERM)),
    Fault("worker restarted", "restart", _signal(WORKERS, signal.SIGTERM)),
    Fault("Postgres restarted, fast", "restart", _signal(("postgres",), signal.SIGINT)),
    Fault("Postgres restarted, at once", "restart", _signal(("postgres",), signal.SIGQUIT)),
    Fault("Redis restarted", "restart", _signal(("redis",), signal.SIGTERM)),
    Fault("Postgres's backends terminated", "connections", _terminate_backends),
    Fault("Postgres's connections used up", "connections", _exhaust_connections),
    Fault("Redis flushed", "flush", _flush),
    Fault("Postgres cut off", "cut off", _gate("postgres", Way.SHUT)),
    Fault("Redis cut off", "cut off", _gate("redis", Way.SHUT)),
    Fault("Postgres slow", "slow", _gate("postgres", Way.SLOW)),
    Fault("store slow", "slow", _gate("store", Way.SLOW), "s3"),
    Fault("store cut off", "cut off", _gate("store", Way.SHUT), "s3"),
    Fault("store full", "full", _gate("store", Way.FULL), "s3"),
    Fault("store stalled", "slow", _gate("store", Way.STALLED), "s3"),
    Fault("store's folder gone for a while", "cut off", _move_store_away, "folder"),
    Fault("killed while a checkpoint goes out", "write", _kill_during("checkpoint", Moment.BODY), "s3"),
    Fault("killed before a checkpoint is named", "write", _kill_during("checkpoint", Moment.ANSWER), "s3"),
    Fault("killed while the model goes out", "write", _kill_during(r"\d+-\d+/model", Moment.BODY), "s3"),
    Fault("killed before the model is named", "write", _kill_during(r"\d+-\d+/model", Moment.ANSWER), "s3"),
    Fault("clock an hour ahead", "clock", _jump(timedelta(hours=1))),
    Fault("clock 10 s back", "clock", _jump(timedelta(seconds=-10))),
    Fault("messages delivered twice", "twice", _deliver_again),
]
