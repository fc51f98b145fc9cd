from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import change_state
from store.db.lineage import ancestors_of, children_of
from store.db.models import Run
from store.db.rates import rate_find_of, rate_finds_of
from store.db.reading import batches_of, get_run, state_of_run
from store.db.records import StepRecord, record_batches, record_rate
from store.errors import NotFound, NotReady, Request, WrongKind
from store.states import State
from tests.store.rows import claimed, make_job, make_run

Sessions = sessionmaker[Session]


def training(session: Session, *autos: str | None, **columns: Any) -> Run:  # noqa: ANN401 - columns
    return make_run(session, config={"phases": [{"auto": auto} for auto in autos]}, **columns)


def found(session: Session, run: Run, phase: int, rate: float | None = 1e-3) -> None:
    record_rate(session, run.id, phase=phase, rate=rate, agreement="weak", content={"phase": phase})


def test_the_first_search_is_the_one_that_is_meant(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = training(session, None, "find", "found", "find")
        make_job(session, run_id=run.id, kind="train")
        for phase in (3, 1):
            found(session, run, phase)
        assert rate_find_of(session, run.id).phase == 1
        assert rate_find_of(session, run.id, 3).content == {"phase": 3}
        assert [one.phase for one in rate_finds_of(session, run.id)] == [1, 3]


@pytest.mark.parametrize(
    ("phase", "error", "words"),
    [(0, WrongKind, "was given"), (2, WrongKind, "an earlier one"), (4, NotFound, r"no 5th phase")],
)
def test_a_phase_without_a_search_of_its_own_is_told_apart(
    sessions: Sessions, phase: int, error: type[Exception], words: str
) -> None:
    with sessions.begin() as session:
        run = training(session, None, "find", "found", "find")
        with pytest.raises(error, match=words):
            rate_find_of(session, run.id, phase)


def test_a_search_that_is_still_to_come_names_the_job(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session, kind="lr_find")
        job = make_job(session, run_id=run.id, kind="lr_find")
        with pytest.raises(NotReady, match=f"job {job.id} is queued"):
            rate_find_of(session, run.id)
        claimed(session, job.id)
        change_state(session, job.id, State.FAILED, error={"code": "worker_lost"})
        assert state_of_run(session, run.id).id == job.id
        with pytest.raises(NotReady, match=f"its job {job.id} has failed") as refused:
            rate_find_of(session, run.id)
        assert refused.value.request == Request("POST", f"/jobs/{job.id}/resume")


def test_a_training_at_given_rates_and_no_run_at_all(sessions: Sessions) -> None:
    with sessions.begin() as session:
        with pytest.raises(WrongKind, match="was given its learning rates"):
            rate_find_of(session, training(session, None).id)
        with pytest.raises(NotFound):
            rate_find_of(session, 99)


def test_descent_is_told_oldest_first_and_children_by_id(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = make_run(session)
        second = make_run(session, parent_id=first.id)
        third = make_run(session, parent_id=second.id)
        other = make_run(session, parent_id=first.id)
        assert [run.id for run in ancestors_of(session, third)] == [first.id, second.id]
        assert ancestors_of(session, first) == []
        assert children_of(session, first.id) == [second.id, other.id]
        assert get_run(session, third.id).parent_id == second.id


@pytest.mark.parametrize(("every", "steps"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 2, 3, 6]), (100, [0, 2, 6])])
def test_thinned_steps_keep_the_last_of_each_phase(sessions: Sessions, every: int, steps: list[int]) -> None:
    with sessions.begin() as session:
        run = make_run(session)
        figures: dict[str, Any] = {"raw_loss": 1.0, "train_loss": 1.0, "lr": [1e-3] * 3, "momentum": 0.9}
        record_batches(
            session, run.id, [StepRecord(**{**figures, "step": step, "phase": int(step > 2)}) for step in range(7)]
        )
        assert [batch.step for batch in batches_of(session, run.id, every)] == steps
