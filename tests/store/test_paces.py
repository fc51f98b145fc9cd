from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import claim
from store.db.lanes import job_beside
from store.db.models import Run
from store.db.paces import (
    Machine,
    ModelKey,
    newest_machine,
    newest_paces,
    newest_throughput,
    past_epochs,
    record_throughput,
)
from store.db.records import record_epoch
from store.states import State
from tests.store.rows import force_state, make_job, make_run

Sessions = sessionmaker[Session]
KEY = ModelKey("resnet18", 460, 224, 64)
CPU = Machine("cpu", "bf16")
PLAN = {"train_items": 80, "valid_items": 20}


def timed(session: Session, key: ModelKey = KEY, machine: Machine = CPU, **changes: Any) -> None:  # noqa: ANN401 - columns
    figures: dict[str, Any] = {
        "precision_asked": "auto",
        "freeze": True,
        "images_per_second": 5.0,
        "valid_images_per_second": 9.0,
        "step_images_per_second": [5.0],
        "step_pictures": 64,
        "accumulation": 1,
        "peak_memory_bytes": None,
    }
    record_throughput(session, key, machine, **{**figures, **changes})


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
    figures: dict[str, Any] = {"train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5, "images_per_second": 4.0}
    for phase in range(len(phases)):
        epoch: dict[str, Any] = {"phase": phase, "epoch": 0, "seconds": 30.0 + phase, "peak_memory_bytes": 7 + phase}
        record_epoch(session, run.id, **{**figures, **epoch})
    return run.id


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
        timed(session, machine=Machine("gpu", "fp16"))
    with sessions.begin() as session:
        assert newest_machine(session, "auto") == Machine("gpu", "fp16")
        assert newest_machine(session, "bf16") == CPU


def test_the_newest_pace_of_each_architecture_is_that_of_its_newest_unfrozen_epoch(sessions: Sessions) -> None:
    with sessions.begin() as session:
        trained(session, True, False)
        newest = trained(session, True, False, False)
        trained(session, True)
        trained(session)
        trained(session, False, device=None)
        other = trained(session, False)
        session.get_one(Run, other).config = {**session.get_one(Run, other).config, "arch": "resnet50"}
        session.flush()
        paces = newest_paces(session)
        assert {name: one.run for name, one in paces.items()} == {"resnet18": newest, "resnet50": other}
        assert paces["resnet18"].peak_memory_bytes == 9


def test_runs_on_several_devices_tell_nothing_of_one(sessions: Sessions) -> None:
    with sessions.begin() as session:
        alone, together = trained(session, True, False), trained(session, True, False, device="2 x cpu")
        session.get_one(Run, together).config = {**session.get_one(Run, together).config, "devices": 2}
        session.flush()
        assert newest_machine(session, "auto") == CPU
        assert newest_paces(session)["resnet18"].run == alone
        assert past_epochs(session, KEY, Machine("2 x cpu", CPU.precision), freeze=True) == []


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


def test_epochs_on_features_and_on_photos_of_another_size_tell_nothing_of_a_network_s_pace(sessions: Sessions) -> None:
    with sessions.begin() as session:
        usual, small, probe = trained(session, True, False), trained(session, True, False), trained(session, True)
        for run, changes in (
            (usual, {"train_size": "size"}),
            (small, {"train_size": [128, 160]}),
            (probe, {"recipe": "probe"}),
        ):
            session.get_one(Run, run).config = {**session.get_one(Run, run).config, **changes}
        session.flush()
        assert [epoch.run_id for epoch in past_epochs(session, KEY, CPU, freeze=True)] == [usual]
        assert [epoch.run_id for epoch in past_epochs(session, KEY, CPU, freeze=False)] == [usual]
        assert [pace.run for pace in newest_paces(session).values()] == [usual]


def test_the_newest_measurement_of_the_same_kind_counts(sessions: Sessions) -> None:
    with sessions.begin() as session:
        timed(session)
        timed(session, freeze=False)
        timed(session, images_per_second=6.0)
        timed(session, ModelKey("resnet18", 460, 128, 64))
        timed(session, ModelKey("resnet18", 300, 224, 64))
        found = newest_throughput(session, KEY, CPU, freeze=True)
        assert found is not None
        assert found.images_per_second == 6.0
        assert newest_throughput(session, KEY, Machine("cpu", "fp32"), freeze=True) is None


@pytest.mark.parametrize(
    ("kind", "worker", "is_beside"),
    [
        ("train", "host:7", True),
        ("forecast", "host:7", True),
        ("train", "another:7", False),
        ("train", "host_:7", False),
        ("import", "host:7", False),
    ],
)
def test_a_job_beside_is_of_the_same_host_and_lane(sessions: Sessions, kind: str, worker: str, is_beside: bool) -> None:
    with sessions.begin() as session:
        other, job = make_job(session, kind=kind), make_job(session, kind="forecast")
        assert claim(session, other.id, worker=worker, lease_seconds=30)
        mine = claim(session, job.id, worker="host:8", lease_seconds=30)
        assert mine is not None
        found = job_beside(session, mine)
        assert (None if found is None else found.id) == (other.id if is_beside else None)
        assert job_beside(session, other) is None or kind != "forecast", "of two forecasts the first is measured"
        force_state(session, other, State.SUCCEEDED)
        assert job_beside(session, mine) is None
        force_state(session, other, State.RUNNING)
        assert claim(session, make_job(session).id, worker="w", lease_seconds=30)
        other.lease_until = mine.created_at
        session.flush()
        assert job_beside(session, mine) is None, "its worker is lost"
