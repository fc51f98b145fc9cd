from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from ml.errors import Stopped
from ml.reporting import BatchRecord, EpochRecord, Plan, Progress, RateRecord
from store.artifacts import ArtifactStore
from store.db.jobs import hand_back, request_cancel
from store.db.models import JobEvent
from store.db.reading import batches_of, epochs_of, events_after, get_job, get_run
from store.settings import Settings
from tests.store.rows import ERROR, claimed, make_job, make_run
from tests.worker.moments import Moments
from worker import patience
from worker.attempt import Attempt
from worker.checkpoints import CheckpointStore
from worker.reporter import JobReporter

Sessions = sessionmaker[Session]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Moments:
    moments = Moments()
    monkeypatch.setattr("worker.reporter.time", moments)
    monkeypatch.setattr(patience, "time", moments)
    return moments


@pytest.fixture
def job_id(sessions: Sessions) -> int:
    """A claimed train job in its first attempt; its run is 1."""
    with sessions.begin() as session:
        return claimed(session, make_job(session, run_id=make_run(session).id, kind="train").id).id


@pytest.fixture
def make(sessions: Sessions, job_id: int) -> Callable[..., JobReporter]:
    def make(through: Sessions = sessions, *, told: bool = False) -> JobReporter:
        return JobReporter(through, job_id=job_id, run_id=1, attempt=1, told=lambda: told)

    return make


def batch(step: int) -> BatchRecord:
    return BatchRecord(step=step, phase=0, raw_loss=1.0, train_loss=0.5, lr=(1e-5, 1e-4, 1e-3), momentum=0.9)


def epoch() -> EpochRecord:
    return EpochRecord(
        phase=0, epoch=0, train_loss=0.5, valid_loss=0.6, error_rate=0.25, seconds=2, images_per_second=9
    )


def plan(resumed_from_step: int) -> Plan:
    return Plan(
        device="cpu",
        precision="fp32",
        precision_reason="asked",
        weights_file="w.pth",
        weights_sha256="ab",
        versions={"torch": "2"},
        train_items=8,
        valid_items=2,
        steps=4,
        resumed_from_step=resumed_from_step,
    )


def events(sessions: Sessions, job_id: int, kind: str) -> list[JobEvent]:
    with sessions.begin() as session:
        return [event for event in events_after(session, job_id, 0) if event.event == kind]


def steps(sessions: Sessions) -> list[int]:
    with sessions.begin() as session:
        return [row.step for row in batches_of(session, 1)]


def test_steps_are_written_about_once_a_second_and_told_as_one_event(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int, clock: Moments
) -> None:
    reporter = make()
    reporter.on_batches([batch(0)])
    reporter.on_batches([batch(1)])
    reporter.on_batches([batch(2)])
    assert steps(sessions) == [0]
    clock.now += 1.1
    reporter.on_batches([batch(3)])
    assert steps(sessions) == [0, 1, 2, 3]
    told = events(sessions, job_id, "batch")[-1].data
    assert told == {"step": [1, 2, 3], "train_loss": [0.5] * 3, "lr": [1e-3] * 3, "momentum": [0.9] * 3}


def test_an_epoch_comes_after_its_steps(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int, clock: Moments
) -> None:
    reporter = make()
    reporter.on_batches([batch(0)])
    reporter.on_batches([batch(1)])
    reporter.on_epoch(epoch())
    assert steps(sessions) == [0, 1]
    with sessions.begin() as session:
        assert [row.error_rate for row in epochs_of(session, 1)] == [0.25]
        assert get_run(session, 1).error_rate == 0.25
    assert events(sessions, job_id, "epoch")[0].id > events(sessions, job_id, "batch")[-1].id
    assert clock.now == 1000.0


def test_progress_is_told_twice_a_second_and_at_each_new_stage(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int, clock: Moments
) -> None:
    reporter = make()
    for step in range(3):
        reporter.on_progress(Progress(stage="train", step=step))
    reporter.on_progress(Progress(stage="validate", step=3))
    clock.now += 0.6
    reporter.on_progress(Progress(stage="validate", step=4))
    assert [event.data["step"] for event in events(sessions, job_id, "progress")] == [0, 3, 4]
    with sessions.begin() as session:
        progress = get_job(session, job_id).progress
        assert progress is not None
        assert (progress["stage"], progress["step"]) == ("validate", 4)


def test_a_checkpoint_that_is_stored_leaves_the_time_left_known(
    sessions: Sessions, settings: Settings, artifacts: ArtifactStore, make: Callable[..., JobReporter], tmp_path: Path
) -> None:
    with sessions.begin() as session:
        job = get_job(session, 1)
        session.expunge(job)
    reporter = make()
    reporter.on_progress(Progress(stage="train", in_batches=True, step=3, steps=9, eta_seconds=60.0))
    (tmp_path / "kept").write_bytes(b"x")
    CheckpointStore(Attempt(settings, sessions, artifacts, job, reporter, tmp_path / "work", 1)).keep(
        tmp_path / "kept", 3
    )
    with sessions.begin() as session:
        progress = get_job(session, 1).progress
    assert progress is not None
    assert (progress["stage"], progress["eta_seconds"], progress["in_batches"]) == ("store", 60.0, True)


def test_a_resumed_plan_forgets_what_came_after_its_checkpoint(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int
) -> None:
    reporter = make()
    reporter.on_batches([batch(step) for step in range(4)])
    reporter.on_plan(plan(resumed_from_step=2))
    assert steps(sessions) == [0, 1]
    with sessions.begin() as session:
        run = get_run(session, 1)
        assert run.weights == {"file": "w.pth", "sha256": "ab"}
        counts = {"train_items": 8, "valid_items": 2, "steps": 4, "resumed_from_step": 2, "halved_from_step": None}
        assert run.plan == {**counts, "accumulation": 1}
    assert "cpu, fp32 (asked), 4 steps" in events(sessions, job_id, "log")[0].data["message"]


def test_a_cancel_is_seen_within_a_second(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int, clock: Moments
) -> None:
    reporter = make()
    assert not reporter.should_stop()
    with sessions.begin() as session:
        request_cancel(session, job_id)
    assert not reporter.should_stop()
    clock.now += 1.0
    assert reporter.should_stop()
    assert make(told=True).should_stop()


def test_an_attempt_whose_job_is_anothers_writes_nothing_more(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int
) -> None:
    reporter = make()
    with sessions.begin() as session:
        hand_back(session, job_id, 1, error=ERROR)
    for report in (
        lambda: reporter.on_batches([batch(0)]),
        lambda: reporter.on_epoch(epoch()),
        lambda: reporter.on_progress(Progress(stage="train")),
        lambda: reporter.on_log("x"),
        lambda: reporter.on_plan(plan(0)),
        reporter.should_stop,
    ):
        with pytest.raises(Stopped):
            report()
    assert steps(sessions) == []
    assert not reporter.is_ours()


class Flaky:
    """Sessions of a database that is away for the first few times."""

    def __init__(self, sessions: Sessions, failures: int) -> None:
        self.sessions, self.failures = sessions, failures

    def begin(self) -> AbstractContextManager[Session]:
        if self.failures:
            self.failures -= 1
            raise OperationalError("SELECT 1", {}, ConnectionError("server closed the connection"))
        return self.sessions.begin()


def test_a_minute_without_a_database_loses_nothing(
    make: Callable[..., JobReporter], sessions: Sessions, clock: Moments
) -> None:
    make(Flaky(sessions, failures=33)).on_batches([batch(0), batch(1)])
    assert clock.now - 1000 > 60
    assert steps(sessions) == [0, 1]


def test_an_outage_without_end_comes_through(
    make: Callable[..., JobReporter], sessions: Sessions, clock: Moments
) -> None:
    reporter = make(Flaky(sessions, failures=1000))
    with pytest.raises(OperationalError):
        reporter.on_epoch(epoch())
    assert clock.now - 1000 < 180


def test_a_search_without_an_answer_is_told_with_its_advice(
    make: Callable[..., JobReporter], sessions: Sessions, job_id: int
) -> None:
    reporter = make()
    for rate, advice in ((None, "go on at 3e-05"), (2e-3, None)):
        word = "agree" if rate else "none"
        reporter.on_rate(RateRecord(phase=1, rate=rate, agreement=word, content={"advice": advice}))
    with sessions.begin() as session:
        said = [event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log"]
    search = "learning rate search before phase 2:"
    assert said == [f"{search} no rate (none); go on at 3e-05", f"{search} 0.002 (agree)"]
