"""Forecasts: from past epochs, from steps that a forecast job timed, or why there is none."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from ml.architecture_facts import FACTS
from store.db.datasets import add_dataset
from store.db.jobs import change_state, claim
from store.db.models import Run
from store.db.paces import Machine, ModelKey, record_throughput
from store.db.records import record_epoch, record_plan
from store.lanes import Lane
from store.queue import queue_length
from store.states import State
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

CPU = "cpu (2 threads)"
SMALL = {"arch": "resnet18", "batch_size": 4, "epochs": 2}
# 21 pictures: 4 validate, 17 train, 16 of them in four batches.


def timed(
    records: Records,
    *epochs: dict[str, Any],
    device: str = CPU,
    ran_in: str = "bf16",
    resumed_from: int = 0,
    **config: Any,  # noqa: ANN401 - config fields
) -> Run:
    """A run with epochs; each has 16 training and 4 validation photos."""
    dataset = records.dataset()
    run, job = records.run(dataset, **{**SMALL, **config})
    plan = {"train_items": 17, "valid_items": 4, "steps": 12, "resumed_from_step": resumed_from, "accumulation": 1}
    figures: dict[str, Any] = {"train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5, "peak_memory_bytes": None}
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
            record_epoch(session, run.id, **{**figures, **epoch})
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


def test_a_dry_run_says_whether_its_weights_are_here(
    client: TestClient, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.dataset()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert dry(client, pretrained=False)["weights"] is None
    missing = dry(client, pretrained=True)["weights"]
    assert (missing["in_reach"], missing["file"]) == (False, None)
    assert "pedigree weights fetch resnet18" in missing["hint"]
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / FACTS["resnet18"].files[0]).touch()
    assert dry(client, pretrained=True)["weights"] == {
        "in_reach": True,
        "place": "torch_cache",
        "file": FACTS["resnet18"].files[0],
        "hint": None,
    }


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
    assert (found["peak_memory_bytes"], found["rate_search_seconds"]) == (250, 0)
    assert found["basis"] == (
        f"On {CPU} in bf16: frozen from 2 epochs of runs {first.id} and {second.id}: an epoch 3 to 4 s, the median "
        f"counts; unfrozen from 2 epochs of run {first.id}: an epoch 5 to 7 s, the median counts. "
        "The job's start (its process, torch, the weights; some seconds) and building the presized cache, where there "
        "is none yet, come on top."
    )
    # Nothing was stored.
    assert client.get("/runs").json()["items"][0]["id"] == last.id
    assert client.get("/jobs?state=queued").json()["items"] == []


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
    assert found["rate_search_seconds"] == pytest.approx(40.0)
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


def timed_steps(records: Records, freeze: bool, *rates: float, **changes: Any) -> None:  # noqa: ANN401 - columns
    """Steps of the small config on record, as a forecast job leaves them."""
    figures: dict[str, Any] = {
        "precision_asked": "auto",
        "images_per_second": rates[0],
        "valid_images_per_second": 8.0,
        "step_images_per_second": list(rates),
        "step_pictures": 4,
        "accumulation": 1,
        "peak_memory_bytes": 1000 if freeze else 2000,
    }
    key = ModelKey("resnet18", 460, 224, 4)
    with records.sessions.begin() as session:
        record_throughput(session, key, Machine(CPU, "bf16"), freeze=freeze, **{**figures, **changes})


def forecast_job(client: TestClient, status: int = 202, **config: Any) -> dict[str, Any]:  # noqa: ANN401 - config fields
    body = {"kind": "forecast", "of": {"kind": "train", "dataset": "pets", "config": {**SMALL, **config}}}
    answer = client.post("/jobs", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/jobs/{found['id']}"
    return found


@pytest.mark.parametrize(
    ("of", "field"), [({"dataset": "nope"}, "body.of.dataset"), ({"from_run": 99}, "body.of.from_run")]
)
def test_what_is_wrong_in_a_forecast_is_named_where_it_was_sent(
    client: TestClient, of: dict[str, Any], field: str
) -> None:
    told = client.post("/jobs", json={"kind": "forecast", "of": {"kind": "train", "config": SMALL, **of}}).json()
    assert told["field"] == field


def test_where_nothing_is_on_record_a_dry_run_says_how_to_measure(client: TestClient, records: Records) -> None:
    records.dataset()
    assert dry(client)["forecast_reason"] == (
        "nothing is on record for resnet18 at presize 460, size 224, batch_size 4 in precision auto; "
        'POST /jobs {"kind": "forecast", "of": REQUEST} has a worker time a few steps'
    )
    assert client.get("/jobs").json()["items"] == []


def test_a_forecast_is_a_job_of_the_lane_that_trains(client: TestClient, records: Records, app: FastAPI) -> None:
    records.dataset()
    job = forecast_job(client)
    assert (job["kind"], job["state"], job["run"], job["forecast"]) == ("forecast", "queued", None, None)
    assert job["waiting"]["lane"] == "train"
    assert queue_length(app.state.services.celery, Lane.TRAIN) == 1
    with records.sessions.begin() as session:
        taken = claim(session, job["id"], worker="w", lease_seconds=60)
        assert taken is not None
        assert taken.payload["config"]["phases"][1]["epochs"] == 2
    timed_steps(records, True, 8.0, 4.0, 16.0)
    timed_steps(records, False, 2.0)
    # A run on another machine in between: the forecast is of the one that measured.
    timed(records, epoch(0, 0, 1.0, 99.0), epoch(1, 0, 1.0, 99.0), device="cuda (a GPU)")
    assert client.get(f"/jobs/{job['id']}").json()["forecast"] is None
    with records.sessions.begin() as session:
        payload = {**taken.payload, "device": CPU, "precision": "bf16"}
        assert change_state(session, job["id"], State.SUCCEEDED, attempt=1, payload=payload)
    found = client.get(f"/jobs/{job['id']}").json()["forecast"]
    # Frozen 16/8 + 4/8, 16/4 + 4/8, 16/16 + 4/8; unfrozen 16/2 + 4/8.
    assert found["seconds_per_epoch"] == pytest.approx([2.5, 8.5])
    assert found["total_seconds"] == pytest.approx(19.5)
    # The unfrozen one was measured once: there is no range of the whole.
    assert (found["total_seconds_low"], found["total_seconds_high"]) == (None, None)
    assert "an epoch 1.5 to 4.5 s, the median counts; unfrozen" in found["basis"]
    assert "an epoch 8.5 s, measured once" in found["basis"]
    assert (found["from"], found["peak_memory_bytes"], found["precision"]) == ("measured", 2000, "bf16")
    assert "frozen from 3 steps timed on made-up images" in found["basis"]
    assert client.get("/runs").json()["items"][0]["kind"] == "train", "a forecast makes no run"
    assert len(client.get("/runs").json()["items"]) == 1


def test_what_is_known_is_answered_at_once_without_a_worker(client: TestClient, records: Records, app: FastAPI) -> None:
    records.dataset()
    timed_steps(records, True, 8.0, 4.0)
    timed_steps(records, False, 2.0)
    known = dry(client)["forecast"]
    job = forecast_job(client, status=200)
    assert (job["state"], job["attempt"], job["forecast"]) == ("succeeded", 0, known)
    assert job["finished_at"] is not None
    assert client.get(f"/jobs/{job['id']}").json()["forecast"] == known
    assert queue_length(app.state.services.celery, Lane.TRAIN) == 0
    events = client.get(f"/jobs/{job['id']}/events").text
    assert '"state": "succeeded"' in events.replace('":"', '": "')
    resumed = client.post(f"/jobs/{job['id']}/resume")
    assert (resumed.status_code, resumed.json()["hint"]) == (409, "It is done. Look at the forecast.")
    assert resumed.json()["request"] == {"method": "GET", "path": f"/jobs/{job['id']}"}
    # Other settings are not known.
    assert forecast_job(client, batch_size=8)["state"] == "queued"
    assert client.get("/jobs?kind=forecast&state=succeeded").json()["items"][0]["id"] == job["id"]


def test_once_a_run_has_trained_its_own_epochs_count(client: TestClient, records: Records) -> None:
    records.dataset()
    timed_steps(records, True, 8.0)
    timed_steps(records, False, 2.0)
    job = forecast_job(client, status=200)
    run = timed(records, epoch(0, 0, 3.0, 8.0))
    mixed = dry(client)["forecast"]
    assert mixed["seconds_per_epoch"] == pytest.approx([3.0, 8.5])
    assert (mixed["from"], f"1 epoch of run {run.id}" in mixed["basis"]) == ("measured", True)
    assert client.get(f"/jobs/{job['id']}").json()["forecast"] == mixed


def test_a_forecast_of_what_cannot_run_is_refused_as_the_job_itself(client: TestClient, records: Records) -> None:
    records.dataset()
    train = {"kind": "train", "dataset": "pets", "config": {**SMALL, "batch_size": 64}}
    itself, asked = (client.post("/jobs", json=body) for body in (train, {"kind": "forecast", "of": train}))
    assert (asked.status_code, asked.json()["code"]) == (422, "batch_too_large")
    assert asked.json()["detail"] == itself.json()["detail"]
    wrong = client.post("/jobs", json={"kind": "forecast", "of": {**train, "config": {"recipe": "one_cycle", "a": 1}}})
    assert wrong.json()["errors"][0]["field"] == "body.of.config.a"
    # What only shows when the defaults are filled in.
    train["config"] = {"arch": "resnet18", "size": 600}
    late = client.post("/jobs", json={"kind": "forecast", "of": train}).json()["errors"][0]["field"]
    assert late == client.post("/jobs", json=train).json()["errors"][0]["field"].replace("body.", "body.of.")
    interpret = client.post("/jobs", json={"kind": "forecast", "of": {"kind": "interpret", "run": 1}})
    assert interpret.status_code == 422
    assert client.get("/jobs").json()["items"] == []


def test_a_dry_run_of_a_forecast_is_that_of_its_job(client: TestClient, records: Records) -> None:
    records.dataset()
    train = {"kind": "train", "dataset": "pets", "config": SMALL}
    found = client.post("/jobs?dry_run=true", json={"kind": "forecast", "of": train}).json()
    assert found == dry(client)


def test_the_same_forecast_under_one_key_is_one_job(client: TestClient, records: Records) -> None:
    records.dataset()
    of = {"kind": "train", "dataset": "pets", "config": SMALL}
    key = {"Idempotency-Key": "k"}
    first, again, other = (
        client.post("/jobs", json={"kind": "forecast", "of": {**of, **more}}, headers=key)
        for more in ({}, {"name": None}, {"name": "another"})
    )
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["id"] == again.json()["id"]


def test_part_of_a_batch_that_was_timed_is_told(client: TestClient, records: Records) -> None:
    records.dataset()
    for freeze in (True, False):
        timed_steps(records, freeze, 2.0, step_pictures=2, peak_memory_bytes=None)
    found = dry(client)["forecast"]
    assert found["peak_memory_bytes"] is None
    assert "1 step of 2 images (a whole batch takes too long to be timed)" in found["basis"]


def test_halves_that_were_timed_are_told(client: TestClient, records: Records) -> None:
    records.dataset()
    for freeze in (True, False):
        timed_steps(records, freeze, 2.0, accumulation=2)
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
