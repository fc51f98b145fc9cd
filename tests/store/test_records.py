import math
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from store.db.reading import artifacts_of, batches_of, epochs_of, get_artifact, get_run, interpretation_of
from store.db.records import (
    StepRecord,
    forget_after_step,
    record_artifact,
    record_batches,
    record_epoch,
    record_final,
    record_interpretation,
    record_plan,
)
from tests.store.rows import make_job, make_run

Sessions = sessionmaker[Session]


def batch(step: int, loss: float = 1.0) -> StepRecord:
    return StepRecord(step=step, phase=0, raw_loss=loss, train_loss=loss, lr=[1e-4, 1e-3, 1e-2], momentum=0.9)


def epoch(number: int, error_rate: float) -> dict[str, Any]:
    figures = {"train_loss": 0.5, "valid_loss": 0.6, "error_rate": error_rate}
    return {"phase": 0, "epoch": number, "seconds": 2.0, "images_per_second": 100.0, **figures}


def test_repeated_batches_replace_and_steps_after_a_checkpoint_are_forgotten(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run_id = make_run(session).id
        record_batches(session, run_id, [])
        record_batches(session, run_id, [batch(0), batch(1), batch(2, math.nan)])
        record_batches(session, run_id, [batch(1, 7.0)])
    with sessions.begin() as session:
        rows = batches_of(session, run_id)
        assert [row.raw_loss for row in rows[:2]] == [1.0, 7.0]
        assert math.isnan(rows[2].raw_loss)
        assert rows[0].lr == [1e-4, 1e-3, 1e-2]
        forget_after_step(session, run_id, 1, steps=3)
    with sessions.begin() as session:
        assert [row.step for row in batches_of(session, run_id)] == [0]


def test_epochs_that_ended_after_a_checkpoint_are_forgotten_and_the_runs_figures_go_back(sessions: Sessions) -> None:
    """The epoch's row is written before its checkpoint, and a store that is away keeps none."""
    with sessions.begin() as session:
        run_id = make_run(session, config={"phases": [{"epochs": 1}, {"epochs": 2}]}).id
        for phase, number, error_rate in ((0, 0, 0.5), (1, 0, 0.25), (1, 1, 0.125)):
            record_epoch(session, run_id, **(epoch(number, error_rate) | {"phase": phase}))

    def left(step: int) -> tuple[list[tuple[int, int]], float | None]:
        with sessions.begin() as session:
            forget_after_step(session, run_id, step, steps=15)
        with sessions.begin() as session:
            rows = [(row.phase, row.epoch) for row in epochs_of(session, run_id)]
            return rows, get_run(session, run_id).error_rate

    assert left(15) == ([(0, 0), (1, 0), (1, 1)], 0.125)
    assert left(14) == ([(0, 0), (1, 0)], 0.25)
    assert left(5) == ([(0, 0)], 0.5)
    assert left(0) == ([], None)


def test_the_run_follows_its_last_epoch_and_then_its_final_figures(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run_id = make_run(session).id
        record_epoch(session, run_id, **epoch(0, 0.5))
        record_epoch(session, run_id, **epoch(1, 0.3))
        record_epoch(session, run_id, **epoch(1, 0.25))
    with sessions.begin() as session:
        assert [row.error_rate for row in epochs_of(session, run_id)] == [0.5, 0.25]
        assert get_run(session, run_id).error_rate == 0.25
        record_final(session, run_id, valid_loss=0.55, error_rate=0.2)
    with sessions.begin() as session:
        run = get_run(session, run_id)
        assert (run.train_loss, run.valid_loss, run.error_rate) == (0.5, 0.55, 0.2)


def test_the_plan_is_kept(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run_id = make_run(session).id
        record_plan(
            session,
            run_id,
            device="cpu (2 threads)",
            precision="bf16",
            precision_reason="has it",
            weights=None,
            versions={"torch": "2"},
            plan={"steps": 7},
        )
    with sessions.begin() as session:
        run = get_run(session, run_id)
        assert (run.device, run.precision, run.weights, run.plan) == ("cpu (2 threads)", "bf16", None, {"steps": 7})


def test_a_renewed_interpretation_replaces_the_earlier_one(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session)
        jobs = [make_job(session, run_id=run.id, kind=kind) for kind in ("train", "interpret")]
        for job, loss in zip(jobs, (0.5, math.inf), strict=True):
            record_interpretation(
                session,
                run.id,
                dataset_id=run.dataset_id,
                job_id=job.id,
                vocab=["Birman", "pug"],
                matrix=[[1, 0], [1, 2]],
                items=[{"item": 3, "loss": loss}],
                valid_loss=loss,
                error_rate=0.25,
                tta=False,
            )
    with sessions.begin() as session:
        found = interpretation_of(session, run.id)
        assert (found.job_id, found.matrix, found.items) == (jobs[1].id, [[1, 0], [1, 2]], [{"item": 3, "loss": None}])
        assert found.valid_loss == math.inf


def test_artifacts_may_be_larger_than_two_gigabytes(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run_id = make_run(session).id
        record_artifact(session, run_id, "model.safetensors", key="runs/1/old", sha256="00", size=1)
        record_artifact(session, run_id, "model.safetensors", key="runs/1/model.safetensors", sha256="ab", size=2**33)
        record_artifact(session, run_id, "model.json", key="runs/1/model.json", sha256="cd", size=10)
    with sessions.begin() as session:
        assert [artifact.name for artifact in artifacts_of(session, run_id)] == ["model.json", "model.safetensors"]
        found = get_artifact(session, run_id, "model.safetensors")
        assert (found.key, found.bytes) == ("runs/1/model.safetensors", 2**33)
