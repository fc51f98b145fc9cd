from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session, sessionmaker

from store.db.calibrations import answer_request, fail_request, get_request, job_in_the_way, open_request, take_request
from store.db.models import CalibrationRequest
from store.db.paces import Machine, ModelKey, newest_calibration, newest_machine, past_epochs
from store.db.records import record_epoch
from store.states import State
from tests.store.rows import force_state, make_job, make_run

Sessions = sessionmaker[Session]
KEY = ModelKey("resnet18", 460, 224, 64)
CPU = Machine("cpu", "bf16")
PLAN = {"train_items": 80, "valid_items": 20}


def row(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    return {
        **vars(KEY),
        **vars(CPU),
        "freeze": True,
        "images_per_second": 5.0,
        "valid_images_per_second": 9.0,
        "step_images_per_second": [5.0],
        "step_pictures": 64,
        "peak_memory_bytes": None,
        **changes,
    }


def opened(session: Session, precision: str = "auto") -> CalibrationRequest:
    request = open_request(session, {"precision": precision}, patience_seconds=0)
    assert request is not None
    return request


def trained(session: Session, *phases: bool, asked: str = "auto", **columns: Any) -> int:  # noqa: ANN401 - columns
    """A run with an epoch in each phase; a phase is whether the body is frozen."""
    config = {
        "arch": KEY.arch,
        "presize": KEY.presize,
        "size": KEY.size,
        "batch_size": KEY.batch_size,
        "seed": 1,
        "precision": asked,
        "phases": [{"freeze": freeze, "epochs": 1} for freeze in phases],
    }
    run = make_run(session, config=config, **{**vars(CPU), "plan": PLAN, **columns})
    figures = {"train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5, "images_per_second": 4.0}
    for phase in range(len(phases)):
        epoch = {"phase": phase, "epoch": 0, "seconds": 30.0 + phase, "peak_memory_bytes": 7 + phase}
        record_epoch(session, run.id, {**figures, **epoch})
    return run.id


def test_one_question_is_open_at_a_time(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = open_request(session, {}, patience_seconds=60)
        assert first is not None
        assert open_request(session, {}, patience_seconds=60) is None
        answer_request(session, first.id, [row()])
        second = open_request(session, {}, patience_seconds=60)
        assert second is not None
        session.execute(update(CalibrationRequest).values(created_at=func.now() - timedelta(seconds=61)))
        assert open_request(session, {}, patience_seconds=60) is not None


def test_a_question_is_taken_once_and_while_somebody_waits(sessions: Sessions) -> None:
    with sessions.begin() as session:
        request = opened(session)
        assert take_request(session, request.id, worker="a", patience_seconds=60)
        assert not take_request(session, request.id, worker="b", patience_seconds=60)
        late = opened(session)
        session.execute(update(CalibrationRequest).values(created_at=func.now() - timedelta(seconds=61)))
        assert not take_request(session, late.id, worker="b", patience_seconds=60)
        assert get_request(session, request.id).worker == "a"


def test_an_answer_stands(sessions: Sessions) -> None:
    with sessions.begin() as session:
        request = opened(session)
        answer_request(session, request.id, [row()])
        fail_request(session, request.id, {"code": "late"})
        assert get_request(session, request.id).error is None


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.CANCELLING])
def test_a_job_that_is_not_over_is_in_the_way(sessions: Sessions, state: State) -> None:
    with sessions.begin() as session:
        over, job = (make_job(session, kind="train", run_id=make_run(session).id) for _ in range(2))
        force_state(session, over, State.FAILED)
        force_state(session, job, state)
        found = job_in_the_way(session)
        assert found is not None
        assert found.id == job.id
        force_state(session, job, State.SUCCEEDED)
        assert job_in_the_way(session) is None


def test_the_machine_is_the_one_that_was_last_heard_of(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert newest_machine(session, "auto") is None
    with sessions.begin() as session:
        trained(session, True)
        trained(session, True, asked="fp32", precision="fp32", device="another")
    with sessions.begin() as session:
        assert newest_machine(session, "auto") == CPU
        assert newest_machine(session, "bf16") == CPU
        assert newest_machine(session, "fp32") == Machine("another", "fp32")
        assert newest_machine(session, "fp16") is None
    with sessions.begin() as session:
        answer_request(session, opened(session).id, [row(device="gpu", precision="fp16")])
    with sessions.begin() as session:
        assert newest_machine(session, "auto") == Machine("gpu", "fp16")
        assert newest_machine(session, "bf16") == CPU


def test_past_epochs_are_those_of_the_phases_of_the_asked_kind(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = trained(session, True, False, False)
        trained(session, True, plan=None)
        trained(session, True, device="another")
        second = trained(session, False)
        frozen = past_epochs(session, KEY, CPU, freeze=True)
        free = past_epochs(session, KEY, CPU, freeze=False)
    assert [(epoch.run_id, epoch.seconds, epoch.peak_memory_bytes) for epoch in frozen] == [(first, 30.0, 7)]
    assert [(epoch.run_id, epoch.seconds) for epoch in free] == [(second, 30.0), (first, 31.0), (first, 32.0)]
    assert (frozen[0].train_items, frozen[0].valid_items, frozen[0].images_per_second) == (80, 20, 4.0)


def test_the_newest_calibration_of_the_same_kind_counts(sessions: Sessions) -> None:
    with sessions.begin() as session:
        answer_request(session, opened(session).id, [row(), row(freeze=False)])
        answer_request(session, opened(session).id, [row(images_per_second=6.0), row(size=128), row(presize=300)])
        found = newest_calibration(session, KEY, CPU, freeze=True)
        assert found is not None
        assert found.images_per_second == 6.0
        assert newest_calibration(session, KEY, Machine("cpu", "fp32"), freeze=True) is None
