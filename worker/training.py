"""A train job: fetch, fit, store, and say so in one transaction."""

from ml.config import ResolvedConfig
from ml.errors import Stopped
from ml.training import fit
from store.db.jobs import change_state
from store.db.records import record_final
from store.states import State
from worker.attempt import Attempt
from worker.checkpoints import StoredKeeper


def train_run(attempt: Attempt) -> None:
    """Train the job's run.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down, its checkpoint kept, or the job is not ours any more.
    """
    run = attempt.run
    manifest, bundle = attempt.dataset()
    keeper = StoredKeeper(attempt.artifacts, run.id, attempt.work)
    result = fit(
        ResolvedConfig.model_validate(run.config),
        manifest,
        bundle,
        places=attempt.places,
        reporter=attempt.reporter,
        keeper=keeper,
        device=attempt.settings.device,
        checkpoint_seconds=attempt.settings.checkpoint_seconds,
        initial=attempt.fetch_model(run.parent_id) if run.parent_id is not None else None,
    )
    attempt.reporter.flush()
    stored = attempt.store_files(result.files)
    with attempt.sessions.begin() as session:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.reading)
        record_final(session, run.id, valid_loss=result.reading.valid_loss, error_rate=result.reading.error_rate)
        if change_state(session, attempt.job.id, State.SUCCEEDED, attempt=attempt.number) is None:
            raise Stopped
    keeper.forget()
