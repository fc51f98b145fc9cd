"""The forecast of a dry run: from past epochs, from calibrations, from a worker that is asked, or why there is none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session, sessionmaker

import api.jobs.forecast
from api.app import create_app
from store.db.calibrations import answer_request, fail_request, get_request, open_request, take_request
from store.db.datasets import add_dataset
from store.db.jobs import create_job
from store.db.lanes import keep_worker
from store.db.models import CalibrationRequest, Run
from store.db.records import record_epoch, record_plan
from store.lanes import Lane
from store.queue import queue_length
from store.settings import Settings
from store.states import State
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

CPU = "cpu (2 threads)"
SMALL = {"arch": "resnet18", "batch_size": 4, "epochs": 2}
# 21 pictures: 4 validate, 17 train, 16 of them in four batches.


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A forecast that soon gives up on the workers."""
    return settings.model_copy(update={"calibration_seconds": 0.6})


@pytest.fixture
def patient(settings: Settings) -> Iterator[TestClient]:
    """A service that waits for a worker; the test is the worker."""
    app = create_app(settings.model_copy(update={"calibration_seconds": 20.0}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def timed(
    records: Records,
    *epochs: dict[str, Any],
    device: str = CPU,
    ran_in: str = "bf16",
    resumed_from: int = 0,
    **config: Any,  # noqa: ANN401 - config fields
) -> Run:
    """A run with epochs; each has 16 training and 4 validation pictures."""
    dataset = records.dataset()
    run, job = records.run(dataset, **{**SMALL, **config})
    plan = {"train_items": 17, "valid_items": 4, "steps": 12, "resumed_from_step": resumed_from, "accumulation": 1}
    figures = {"train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5, "peak_memory_bytes": None}
    with records.sessions.begin() as session:
        record_plan(
            session,
            run.id,
            device=device,
            precision=ran_in,
            precision_reason="",
            weights=None,
            versions={},
            plan=plan,
        )
        for epoch in epochs:
            record_epoch(session, run.id, {**figures, **epoch})
    records.move(job, State.RUNNING, State.SUCCEEDED)
    return run


def epoch(phase: int, number: int, seconds: float, rate: float, peak: int | None = None) -> dict[str, Any]:
    return {
        "phase": phase,
        "epoch": number,
        "seconds": seconds,
        "images_per_second": rate,
        "peak_memory_bytes": peak,
    }


def dry(client: TestClient, **config: Any) -> dict[str, Any]:  # noqa: ANN401 - config fields
    body = {"kind": "train", "dataset": "pets", "config": {**SMALL, **config}}
    answer = client.post("/jobs?dry_run=true", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert (found["forecast"] is None) == (found["forecast_reason"] is not None)
    return found


def test_past_epochs_of_the_same_kind_are_what_a_forecast_is_made_from(client: TestClient, records: Records) -> None:
    # Training 16 pictures at 8 a second takes 2 s, at 4 a second 4 s; what is left is validation.
    first = timed(records, epoch(0, 0, 3.0, 8.0, 100), epoch(1, 0, 5.0, 4.0, 200), epoch(1, 1, 7.0, 4.0, 250))
    second = timed(records, epoch(0, 0, 4.0, 8.0, 120))
    # Other sizes, batches, architectures and number formats tell nothing, and neither does another machine.
    timed(records, epoch(0, 0, 99.0, 1.0, 999), size=160)
    timed(records, epoch(0, 0, 99.0, 1.0, 999), presize=300)
    timed(records, epoch(0, 0, 99.0, 1.0, 999), batch_size=8)
    timed(records, epoch(0, 0, 99.0, 1.0, 999), arch="resnet34")
    timed(records, epoch(0, 0, 99.0, 1.0, 999), precision="fp32", ran_in="fp32")
    timed(records, epoch(0, 0, 99.0, 1.0, 999), device="cuda (a GPU)")
    last = timed(records)
    found = dry(client)["forecast"]
    assert found["seconds_per_epoch"] == pytest.approx([3.5, 6.0])
    # One epoch frozen and two that are not.
    assert found["total_seconds"] == pytest.approx(15.5)
    assert (found["total_seconds_low"], found["total_seconds_high"]) == (pytest.approx(13.0), pytest.approx(18.0))
    assert (found["from"], found["device"], found["precision"]) == ("stored", CPU, "bf16")
    assert (found["peak_memory_bytes"], found["search_seconds"]) == (250, 0)
    assert found["basis"] == (
        f"On {CPU} in bf16: frozen from 2 epochs of runs {first.id} and {second.id}: an epoch 3 to 4 s, the median "
        f"counts; unfrozen from 2 epochs of run {first.id}: an epoch 5 to 7 s, the median counts. "
        "The job's start (its process, torch, the weights; some seconds) and building the presized cache, where there "
        "is none yet, come on top."
    )
    # Nothing was stored.
    assert client.get("/runs").json()["items"][0]["id"] == last.id
    assert client.get("/jobs?state=queued").json()["items"] == []
    with records.sessions.begin() as session:
        assert session.query(CalibrationRequest).count() == 0


def test_only_the_newest_five_runs_count(client: TestClient, records: Records) -> None:
    timed(records, epoch(0, 0, 99.0, 1.0))
    runs = [timed(records, epoch(0, 0, 3.0 + number, 8.0)) for number in range(5)]
    found = dry(client, recipe="one_cycle")["forecast"]
    assert found["seconds_per_epoch"] == pytest.approx([5.0])
    assert f"5 epochs of runs {', '.join(str(run.id) for run in runs[:-1])} and {runs[-1].id}" in found["basis"]


def test_an_epoch_that_was_taken_up_in_its_middle_does_not_count(client: TestClient, records: Records) -> None:
    # Four steps an epoch. The one that step 6 lies in took 5 s from there on: far too short, but positive.
    slow, rest = epoch(1, 1, 9.0, 4.0, 100), epoch(1, 0, 5.0, 4.0, 999)
    run = timed(records, epoch(0, 0, 3.0, 8.0), rest, slow, resumed_from=6)
    found = dry(client, freeze_epochs=0)["forecast"]
    assert found["seconds_per_epoch"] == pytest.approx([9.0])
    assert f"unfrozen from 1 epoch of run {run.id}" in found["basis"]
    assert found["peak_memory_bytes"] == 100
    # From the very start of an epoch on, it is whole.
    timed(records, rest, slow, resumed_from=4)
    assert dry(client, freeze_epochs=0)["forecast"]["seconds_per_epoch"] == pytest.approx([9.0])
    assert "3 epochs of runs" in dry(client, freeze_epochs=0)["forecast"]["basis"]


def test_auto_is_the_format_that_it_came_to_last(client: TestClient, records: Records) -> None:
    slow, fast = epoch(1, 0, 30.0, 1.0), epoch(1, 0, 5.0, 4.0)
    timed(records, slow, ran_in="fp32")
    timed(records, fast, ran_in="bf16")
    timed(records, slow, ran_in="fp32", precision="fp32")

    def forecast(precision: str) -> tuple[str, float]:
        found = dry(client, freeze_epochs=0, precision=precision)["forecast"]
        return found["precision"], found["seconds_per_epoch"][0]

    assert forecast("auto") == ("bf16", 5.0)
    assert forecast("bf16") == ("bf16", 5.0)
    assert forecast("fp32") == ("fp32", 30.0)


def test_a_dataset_of_another_size_takes_another_time(client: TestClient, records: Records) -> None:
    timed(records, epoch(1, 0, 5.0, 4.0))
    with records.sessions.begin() as session:
        add_dataset(session, name="more", revision="r", drawn=False, label_rule={}, vocab=VOCAB, items=40, summary={})
    body = {"kind": "train", "dataset": "more", "config": {**SMALL, "freeze_epochs": 0}}
    found = client.post("/jobs?dry_run=true", json=body).json()["forecast"]
    # 32 pictures train at 4 a second, 8 validate at 4 a second.
    assert found["seconds_per_epoch"] == pytest.approx([10.0])


def test_a_rate_left_to_a_search_counts_its_sweeps(client: TestClient, records: Records) -> None:
    timed(records, epoch(0, 0, 3.0, 8.0), epoch(1, 0, 5.0, 4.0))
    found = dry(client, base_lr="auto", lr_sweep={"steps": 40, "sweeps": 2})["forecast"]
    # 2 sweeps of 40 steps of 4 pictures, frozen, at 8 a second.
    assert found["search_seconds"] == pytest.approx(40.0)
    assert found["total_seconds"] == pytest.approx(40.0 + 3.0 + 2 * 5.0)
    search = {"kind": "lr_find", "dataset": "pets", "config": {"arch": "resnet18", "batch_size": 4, "freeze": False}}
    alone = client.post("/jobs?dry_run=true", json=search).json()
    assert alone["config"]["lr_sweep"]["steps"] == 100
    assert (alone["forecast"]["seconds_per_epoch"], alone["forecast"]["total_seconds"]) == ([], 300.0)
    assert "the search 300 s, measured once" in alone["forecast"]["basis"]
    assert (alone["forecast"]["total_seconds_low"], alone["forecast"]["total_seconds_high"]) == (None, None)


def test_an_interpret_job_has_no_forecast_and_says_so(client: TestClient, records: Records) -> None:
    run = records.finished()
    found = client.post("/jobs?dry_run=true", json={"kind": "interpret", "run": run.id}).json()
    assert found["forecast"] is None
    assert "interpret jobs are not forecast" in found["forecast_reason"]


def test_a_busy_worker_is_not_asked(client: TestClient, records: Records) -> None:
    _, job = records.run(records.dataset())
    assert f"job {job.id} is queued; ask again when it has ended" in dry(client)["forecast_reason"]
    records.move(job, State.RUNNING)
    reason = dry(client)["forecast_reason"]
    assert reason == (
        "nothing is on record for resnet18 at presize 460, size 224, batch_size 4 in precision auto, "
        f"and job {job.id} is running; ask again when it has ended"
    )


def test_where_no_worker_answers_the_forecast_says_what_to_do(client: TestClient, records: Records) -> None:
    records.dataset()
    assert "no worker answered within 1 s; start one, and ask again" in dry(client)["forecast_reason"]
    # The question is closed, so that the next one is asked at once.
    assert "no worker answered" in dry(client)["forecast_reason"]


def test_where_no_worker_lives_nobody_is_waited_for(
    patient: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.dataset()
    monkeypatch.setattr(api.jobs.forecast, "STARTING_SECONDS", 0.0)
    with records.sessions.begin() as session:
        keep_worker(session, "light", {Lane.LIGHT}, 60)
    assert "and no worker of the train lane runs; start one, and ask again" in dry(patient)["forecast_reason"]
    assert asked(records.sessions) is None


def test_an_import_is_in_no_forecasts_way(client: TestClient, records: Records) -> None:
    records.dataset()
    with records.sessions.begin() as session:
        create_job(session, kind="import", max_attempts=3)
    assert "no worker answered within 1 s" in dry(client)["forecast_reason"]


def test_without_a_broker_the_forecast_says_so(settings: Settings, records: Records) -> None:
    records.dataset()
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(away, load=FakeClassifier.load), base_url="http://localhost") as client:
        assert "the broker does not answer" in dry(client)["forecast_reason"]
        assert "the broker does not answer" in dry(client)["forecast_reason"]


def test_workers_need_not_be_asked_at_all(settings: Settings, records: Records) -> None:
    records.dataset()
    never = settings.model_copy(update={"calibration_seconds": 0.0})
    with TestClient(create_app(never, load=FakeClassifier.load), base_url="http://localhost") as client:
        assert "PEDIGREE_CALIBRATION_SECONDS is 0" in dry(client)["forecast_reason"]


def measured(freeze: bool, *rates: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    return {
        "arch": "resnet18",
        "presize": 460,
        "size": 224,
        "batch_size": 4,
        "device": CPU,
        "precision": "bf16",
        "freeze": freeze,
        "images_per_second": rates[0],
        "valid_images_per_second": 8.0,
        "step_images_per_second": list(rates),
        "step_pictures": 4,
        "accumulation": 1,
        "peak_memory_bytes": 1000 if freeze else 2000,
        **changes,
    }


def asked(sessions: sessionmaker[Session]) -> CalibrationRequest | None:
    with sessions.begin() as session:
        return session.query(CalibrationRequest).filter_by(answered_at=None).one_or_none()


def test_a_worker_that_is_asked_answers_once_for_all(patient: TestClient, records: Records, app: FastAPI) -> None:
    records.dataset()
    sessions = records.sessions
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(dry, patient)
        until(lambda: asked(sessions) is not None)
        request = asked(sessions)
        assert request is not None
        assert (request.settings["arch"], request.settings["precision"]) == ("resnet18", "auto")
        assert "epochs" not in request.settings
        until(lambda: queue_length(app.state.services.celery, Lane.TRAIN) == 1)
        # A second one is not kept waiting behind the first.
        assert "measures another configuration" in dry(patient)["forecast_reason"]
        with sessions.begin() as session:
            assert take_request(session, request.id, worker="w", patience_seconds=20)
            answer_request(session, request.id, [measured(True, 8.0, 4.0, 16.0), measured(False, 2.0)])
        found = waiting.result(timeout=30)["forecast"]
    # Frozen 16/8 + 4/8, 16/4 + 4/8, 16/16 + 4/8; unfrozen 16/2 + 4/8.
    assert found["seconds_per_epoch"] == pytest.approx([2.5, 8.5])
    assert found["total_seconds"] == pytest.approx(19.5)
    # The unfrozen one was measured once: there is no range of the whole.
    assert (found["total_seconds_low"], found["total_seconds_high"]) == (None, None)
    assert "an epoch 1.5 to 4.5 s, the median counts; unfrozen" in found["basis"]
    assert "an epoch 8.5 s, measured once" in found["basis"]
    assert (found["from"], found["peak_memory_bytes"], found["precision"]) == ("calibrated", 2000, "bf16")
    assert "frozen from 3 steps timed on made-up pictures" in found["basis"]
    # The next one reads what was measured.
    assert dry(patient)["forecast"] == found
    # Once a run has trained, its own epochs count.
    run = timed(records, epoch(0, 0, 3.0, 8.0))
    mixed = dry(patient)["forecast"]
    assert mixed["seconds_per_epoch"] == pytest.approx([3.0, 8.5])
    assert (mixed["from"], f"1 epoch of run {run.id}" in mixed["basis"]) == ("calibrated", True)


def test_a_worker_that_still_measures_is_named(client: TestClient, records: Records) -> None:
    records.dataset()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(dry, client)
        until(lambda: asked(records.sessions) is not None)
        request = asked(records.sessions)
        assert request is not None
        with records.sessions.begin() as session:
            assert take_request(session, request.id, worker="host:7", patience_seconds=20)
        reason = waiting.result(timeout=30)["forecast_reason"]
    assert reason.endswith("and worker host:7 still measures after 1 s; ask again in a minute")


def test_part_of_a_batch_that_was_timed_is_told(client: TestClient, records: Records) -> None:
    records.dataset()
    with records.sessions.begin() as session:
        request = open_request(session, {"precision": "auto"}, patience_seconds=60)
        assert request is not None
        rows = [measured(freeze, 2.0, step_pictures=2, peak_memory_bytes=None) for freeze in (True, False)]
        answer_request(session, request.id, rows)
    found = dry(client)["forecast"]
    assert found["peak_memory_bytes"] is None
    assert "1 step of 2 pictures (a whole batch takes too long to be timed)" in found["basis"]


def test_halves_that_were_timed_are_told(client: TestClient, records: Records) -> None:
    records.dataset()
    with records.sessions.begin() as session:
        request = open_request(session, {"precision": "auto"}, patience_seconds=60)
        assert request is not None
        answer_request(session, request.id, [measured(freeze, 2.0, accumulation=2) for freeze in (True, False)])
    basis = dry(client)["forecast"]["basis"]
    assert "1 step, each in two halves, as the memory does not hold a whole batch, timed on made-up" in basis


def test_epochs_that_were_trained_in_halves_are_told(client: TestClient, records: Records) -> None:
    # Four batches an epoch; halves from the middle of the second epoch on.
    run = timed(records, epoch(0, 0, 3.0, 8.0), epoch(1, 0, 5.0, 4.0), epoch(1, 1, 7.0, 4.0))
    with records.sessions.begin() as session:
        plan = {"train_items": 17, "valid_items": 4, "steps": 12, "accumulation": 2, "halved_from_step": 6}
        session.query(Run).filter_by(id=run.id).update({"plan": plan})
    basis = dry(client)["forecast"]["basis"]
    assert f"frozen from 1 epoch of run {run.id}:" in basis
    halves = "2 of them with each batch in two halves, as the memory did not hold a whole one"
    assert f"unfrozen from 2 epochs of run {run.id} ({halves}):" in basis


def test_a_measurement_that_failed_is_told_with_its_hint(patient: TestClient, records: Records) -> None:
    records.dataset()
    sessions = records.sessions
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(dry, patient, precision="fp16")
        until(lambda: asked(sessions) is not None)
        request = asked(sessions)
        assert request is not None
        error = {"code": "precision_unsupported", "detail": "fp16 does not train on a CPU", "hint": "Use bf16."}
        with sessions.begin() as session:
            fail_request(session, request.id, error)
        found = waiting.result(timeout=30)
    assert found["forecast_reason"] == "precision_unsupported: fp16 does not train on a CPU. Use bf16."
    with sessions.begin() as session:
        assert get_request(session, request.id).answered_at is not None
