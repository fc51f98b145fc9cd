"""A train job: fetch, fit, store, and say so in one transaction."""

from sqlalchemy.orm import Session

from ml.config import ResolvedConfig
from ml.training import fit
from ml.workbench import Places
from store.db.records import record_final
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
    keeper = StoredKeeper(attempt)
    result = fit(
        ResolvedConfig.model_validate(run.config),
        manifest,
        bundle,
        places=Places(
            cache=attempt.settings.cache, weights=attempt.settings.weights, work=attempt.work, limits=attempt.limits
        ),
        reporter=attempt.reporter,
        keeper=keeper,
        device=attempt.settings.device,
        checkpoint_seconds=attempt.settings.checkpoint_seconds,
        initial=attempt.fetch_model(run.parent_id) if run.parent_id is not None else None,
    )
    attempt.reporter.flush()
    stored = attempt.store_files(result.files)

    def write(session: Session) -> None:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.reading)
        record_final(session, run.id, valid_loss=result.reading.valid_loss, error_rate=result.reading.error_rate)
        attempt.succeed(session)

    attempt.write(write)
    keeper.forget()
