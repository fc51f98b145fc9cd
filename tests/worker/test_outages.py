"""A database that is away for a minute, at each moment of a job's life, costs no attempt."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

import worker.lifecycle
from cli.servers import Postgres
from migrations.engine import upgrade
from ml.config import FineTune, LrFind, resolve
from ml.data.manifest import Manifest
from ml.errors import Stopped
from ml.throughput import Throughput
from store.artifacts import ArtifactStore, StoredFile
from store.db.jobs import claim, request_cancel
from store.db.reading import get_job
from store.db.records import record_artifact
from store.db.session import make_engine, make_sessions
from store.dispatch import dispatch_job
from store.errors import NoRoom, ServiceUnavailable
from store.keys import MODEL, manifest_key
from store.settings import Settings
from store.states import State
from tests.ml.pictures import dataset
from tests.store.rows import claimed, make_dataset, make_job, make_run
from tests.worker.attempts import Stack
from tests.worker.moments import Moments
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import job_in, running, until
from worker import child, patience
from worker.attempt import Attempt
from worker.checkpoints import CheckpointStore
from worker.forecasting import measure_for_forecast
from worker.learned import learned_earlier
from worker.lifecycle import EXIT_PUT_DOWN, Host, run_job

Sessions = sessionmaker[Session]
MINUTE = 60.0


class Away:
    """Sessions of a database that comes back after a minute of that clock, from the time when it ``fell``.

    ``lost`` transactions are committed before, their answers lost with the connection.
    """

    def __init__(self, sessions: Sessions, clock: Moments) -> None:
        self.sessions, self.clock = sessions, clock
        self.back_at = 0.0
        self.lost = 0

    def fall(self) -> None:
        self.back_at = self.clock.now + MINUTE

    @contextmanager
    def begin(self) -> Iterator[Session]:
        if self.clock.now < self.back_at:
            raise OperationalError("SELECT 1", {}, ConnectionError("the server closed the connection"))
        with self.sessions.begin() as session:
            yield session
        if self.lost:
            self.lost -= 1
            self.fall()
            raise OperationalError("COMMIT", {}, ConnectionError("the server closed the connection"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Moments:
    moments = Moments()
    monkeypatch.setattr(patience, "time", moments)
    return moments


@pytest.fixture
def away(sessions: Sessions, clock: Moments) -> Away:
    return Away(sessions, clock)


@pytest.fixture
def attempt(stack: Stack, away: Away, tmp_path: Path) -> Attempt:
    """An attempt at a run that went on from another, with everything that it may ask for; then the database goes."""
    manifest, _ = dataset(tmp_path / "pets")
    stack.artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
    model = stack.artifacts.put_bytes("runs/1/1-1/model.safetensors", b"weights")
    with stack.sessions.begin() as session:
        pets = make_dataset(session, revision=manifest.revision).id
        parent = make_run(session)
        parent.dataset_id = pets
        record_artifact(session, parent.id, MODEL, key=model.key, sha256=model.sha256, size=model.bytes)
        run = make_run(session, parent_id=parent.id)
        job = claimed(session, make_job(session, run_id=run.id, kind="train").id).id
    begun = stack.attempt(job)
    object.__setattr__(begun, "sessions", away)
    away.fall()
    return begun


@pytest.mark.parametrize(
    "look",
    [
        lambda attempt: attempt.fetch_model(1).name == MODEL,
        lambda attempt: attempt.key_of(MODEL) is None,
        lambda attempt: isinstance(attempt.dataset(1)[0], Manifest),
        lambda attempt: attempt.write(attempt.succeed) is None,
    ],
    ids=["fetch_model", "key_of", "dataset", "verdict"],
)
def test_whatever_an_attempt_asks_of_the_database_waits_for_it(
    attempt: Attempt, clock: Moments, look: Callable[[Attempt], bool]
) -> None:
    assert look(attempt)
    assert clock.now - 1000.0 >= MINUTE


class StoreAway(ArtifactStore):
    """A store that is away until a minute of that clock is over."""

    def __init__(self, url: str, clock: Moments) -> None:
        super().__init__(url)
        self.clock, self.back_at = clock, clock.now + MINUTE

    def put_file(self, *words: Any, **named: Any) -> StoredFile:  # noqa: ANN401 - as the store's own
        self._ask()
        return super().put_file(*words, **named)

    def get_bytes(self, key: str) -> bytes:
        self._ask()
        return super().get_bytes(key)

    def fetch(self, *words: Any, **named: Any) -> Path:  # noqa: ANN401 - as the store's own
        self._ask()
        return super().fetch(*words, **named)

    def _ask(self) -> None:
        if self.clock.now < self.back_at:
            raise ServiceUnavailable("the artifact store does not answer")


@pytest.fixture
def storeless(attempt: Attempt, away: Away, clock: Moments) -> Attempt:
    """The same attempt with its database there, and its store away."""
    away.back_at = 0.0
    object.__setattr__(attempt, "artifacts", StoreAway(attempt.artifacts.url, clock))
    (attempt.work / "made").write_bytes(b"made")
    return attempt


@pytest.mark.parametrize(
    "ask",
    [
        lambda attempt: attempt.fetch_model(1).read_bytes() == b"weights",
        lambda attempt: isinstance(attempt.dataset(1)[0], Manifest),
        lambda attempt: attempt.store_files({"made": attempt.work / "made"})[0][3] == 4,
    ],
    ids=["fetch_model", "manifest", "store_files"],
)
def test_what_an_attempt_cannot_do_without_waits_for_the_store(
    storeless: Attempt, clock: Moments, ask: Callable[[Attempt], bool]
) -> None:
    """Else a training of hours fails because the store was restarted when it ended."""
    assert ask(storeless)
    assert clock.now - 1000.0 >= MINUTE


def test_a_checkpoint_does_not_wait_for_the_store(storeless: Attempt, clock: Moments) -> None:
    CheckpointStore(storeless).keep(storeless.work / "made", 1)
    assert clock.now == 1000.0


def test_who_must_stop_does_not_wait_for_the_store(storeless: Attempt, clock: Moments) -> None:
    with storeless.sessions.begin() as session:
        request_cancel(session, storeless.job.id)
    with pytest.raises(Stopped):
        storeless.fetch_model(1)
    assert clock.now - 1000.0 < MINUTE


def test_a_full_store_is_told_at_once(storeless: Attempt, clock: Moments) -> None:
    def full(_: ArtifactStore) -> None:
        raise NoRoom("the artifact store has no room")

    with pytest.raises(NoRoom):
        storeless.stored(full)
    assert clock.now == 1000.0


def test_a_forecast_waits_for_the_database_before_it_measures_and_with_what_it_measured(
    attempt: Attempt, away: Away, clock: Moments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(config: LrFind, device: str, **_: object) -> Throughput:
        away.fall()
        return Throughput(f"{device} of {config.arch}", "fp32", ())

    monkeypatch.setattr("worker.forecasting.measure_throughput", measure)
    attempt.job.payload["config"] = LrFind(arch="resnet18").model_dump(mode="json")
    measure_for_forecast(attempt)
    assert clock.now - 1000.0 >= 2 * MINUTE
    with away.sessions.begin() as session:
        job = get_job(session, attempt.job.id)
    assert (job.state, job.payload["device"]) == (State.SUCCEEDED, "cpu of resnet18")


def test_what_was_learned_earlier_is_asked_patiently(
    attempt: Attempt, clock: Moments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.learned.ancestors_of", lambda _session, _run: [])
    monkeypatch.setattr(attempt.run, "config", resolve(FineTune(arch="resnet18")).model_dump(mode="json"))
    assert learned_earlier(attempt) == frozenset()
    assert clock.now - 1000.0 >= MINUTE


@pytest.fixture
def host(settings: Settings, away: Away, celery: Celery, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A worker whose children end at once, without a verdict."""

    def start(*_: object, **__: object) -> list[str]:
        return ["/bin/true"]

    monkeypatch.setattr(worker.lifecycle, "tethered", start)
    return Host(settings, away, celery, threading.Event())  # type: ignore[arg-type]


def attempts_of(sessions: Sessions, job_id: int) -> tuple[str, int]:
    with sessions.begin() as session:
        job = get_job(session, job_id)
        return job.state, job.attempt


def test_a_worker_that_takes_a_job_waits_for_the_database(host: Host, away: Away, sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id
    away.fall()
    run_job(host, job_id)
    assert attempts_of(sessions, job_id) == (State.QUEUED, 1), "taken, run and handed back"


def test_a_claim_whose_answer_was_lost_is_ours(
    host: Host, away: Away, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would run the job until its lease runs out, which costs the attempt."""
    with sessions.begin() as session:
        job_id = make_job(session).id
    began = []

    def lose(*words: Any, **named: Any) -> object:  # noqa: ANN401 - whatever claim is given
        away.lost = 1 if away.back_at == 0.0 else 0
        return claim(*words, **named)

    def start(*words: object, **_: object) -> list[str]:
        began.append(words[2])
        return ["/bin/true"]

    monkeypatch.setattr(worker.lifecycle, "claim", lose)
    monkeypatch.setattr(worker.lifecycle, "tethered", start)
    run_job(host, job_id)
    assert away.back_at > 0.0
    assert began == [1]
    assert attempts_of(sessions, job_id) == (State.QUEUED, 1)


@pytest.mark.parametrize(("is_away", "budget"), [(True, 4), (False, 3)])
def test_an_attempt_that_gave_up_waiting_counts_unless_the_worker_had_to_wait_too(
    host: Host, away: Away, sessions: Sessions, monkeypatch: pytest.MonkeyPatch, *, is_away: bool, budget: int
) -> None:
    with sessions.begin() as session:
        job_id = make_job(session).id

    def start(*_: object, **__: object) -> list[str]:
        if is_away:
            away.fall()
        return [sys.executable, "-c", f"import time; time.sleep(1); raise SystemExit({EXIT_PUT_DOWN})"]

    monkeypatch.setattr(worker.lifecycle, "tethered", start)
    hurried = replace(host, settings=host.settings.model_copy(update={"lease_seconds": 0.3}))
    run_job(hurried, job_id)
    with sessions.begin() as session:
        job = get_job(session, job_id)
        assert (job.state, job.attempt, job.max_attempts) == (State.QUEUED, 1, budget)
        assert (job.not_before is None) == is_away, "what counts rests first"


def test_a_process_that_finds_no_database_ends_as_one_that_was_put_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it asked: at its start, or for the verdict of what failed."""

    def away(*_: object) -> int:
        raise OperationalError("SELECT 1", {}, ConnectionError("the server is away"))

    monkeypatch.setattr(child, "_attempt", away)
    monkeypatch.setattr(child, "log_to_stderr", lambda: None)
    monkeypatch.setattr(child, "begin_tracing", lambda: None)
    monkeypatch.setattr("worker.child.signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["worker.child", "1", "1"])
    assert child.main() == EXIT_PUT_DOWN


def test_a_job_of_another_worker_is_left_to_it(host: Host, sessions: Sessions) -> None:
    with sessions.begin() as session:
        job_id = claimed(session, make_job(session).id).id
    run_job(host, job_id)
    assert attempts_of(sessions, job_id) == (State.RUNNING, 1)


@contextmanager
def own_database(folder: Path, settings: Settings) -> Iterator[tuple[Postgres, Settings]]:
    """A server that a test may kill."""
    server = Postgres(folder / "postgres")
    try:
        own = settings.model_copy(update={"database_url": server.start().replace("postgresql:", "postgresql+psycopg:")})
        upgrade(own.database_url)
        yield server, own
    finally:
        server.stop()


def test_postgres_killed_while_a_job_s_process_starts_costs_no_attempt(
    settings: Settings, artifacts: ArtifactStore, celery: Celery, tmp_path: Path
) -> None:
    patient = settings.model_copy(update={"lease_seconds": 30.0})
    with own_database(tmp_path, patient) as (server, own), running("worker --lane light", own) as process:
        engine = make_engine(own)
        sessions = make_sessions(engine)
        job_id, _ = queue_import(sessions, artifacts, archive())
        dispatch_job(celery, sessions, job_id)
        child = process.paused_child()
        assert server.process is not None
        server.process.send_signal(signal.SIGQUIT)
        server.process.wait()
        os.kill(child, signal.SIGCONT)
        until(lambda: "waits for the database" in process.said(), "a job's process that waits")
        server.start()
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
        engine.dispose()
    assert (job.state, job.attempt, job.error) == (State.SUCCEEDED, 1, None)
