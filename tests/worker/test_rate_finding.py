"""An lr_find job: on a fresh model, on a run's, and one that can have no answer."""

from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from ml.config import LrFind
from store.db.jobs import create_job
from store.db.models import Run
from store.db.rates import rate_find_of
from store.db.reading import artifacts_of, events_after, get_run
from tests.worker.attempts import Stack
from tests.worker.test_learning import CONFIG, done, pets, queue_training, settings

Sessions = sessionmaker[Session]
SHARED = {name: value for name, value in CONFIG.items() if name not in {"recipe", "epochs"}}
__all__ = ["pets", "settings"]


def queue_search(sessions: Sessions, dataset_id: int, sweep: dict[str, Any], **columns: int) -> tuple[int, int]:
    """A search's run and its job, not yet published."""
    config = LrFind.model_validate({**SHARED, "lr_sweep": sweep}).model_dump(mode="json")
    with sessions.begin() as session:
        run = Run(kind="lr_find", dataset_id=dataset_id, config=config, **columns)
        session.add(run)
        session.flush()
        return run.id, create_job(session, kind="lr_find", run_id=run.id, max_attempts=3).id


@pytest.mark.thorough
def test_a_search_on_a_fresh_model_and_on_a_run_s_is_recorded_and_leaves_no_files(
    stack: Stack, sessions: Sessions, pets: int
) -> None:
    trained, training = queue_training(sessions, pets)
    fresh, fresh_job = queue_search(sessions, pets, {"steps": 24, "sweeps": 2})
    after, after_job = queue_search(sessions, pets, {"steps": 24, "sweeps": 2}, parent_id=trained)
    _, short_job = queue_search(sessions, pets, {"steps": 12})
    done(stack, training, fresh_job, after_job)
    failed = stack.worked_off(short_job)
    assert failed.error is not None
    assert (failed.error["code"], failed.attempt) == ("sweep_too_short", 1)
    with sessions.begin() as session:
        found, again = rate_find_of(session, fresh), rate_find_of(session, after)
        for record in (found, again):
            assert record.phase == 0
            assert (record.rate, record.agreement) == (record.content["rate"], record.content["agreement"])
            assert [len(sweep["suggestions"]) for sweep in record.content["sweeps"]] == [4, 4]
        # other weights, the same batches
        assert found.content["losses"][0] != again.content["losses"][0]
        run = get_run(session, fresh)
        assert (run.precision, run.plan and run.plan["steps"]) == ("fp32", 48)
        assert list(artifacts_of(session, fresh)) == []
        stages = {e.data.get("stage") for e in events_after(session, fresh_job, 0) if e.event == "progress"}
        assert "lr_find" in stages
