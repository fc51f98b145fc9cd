"""A train job: fetch, fit, store, and say so in one transaction."""

from sqlalchemy.orm import Session

from ml.config import ResolvedConfig
from ml.errors import NoRateFound
from ml.learn.training import fit
from store.db.records import record_final
from worker.answer_time import answer_time
from worker.attempt import Attempt
from worker.breed_adding import add_breeds_to_run
from worker.checkpoints import CheckpointStore
from worker.learned import learned_earlier
from worker.paths import paths_of


def train_run(attempt: Attempt) -> None:
    """Train the job's run, or add breeds to its parent.

    A training that ends for want of a later phase's rate is recorded with what it learned before.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down, its checkpoint kept, or the job is not ours any more.
    """
    run = attempt.run
    config = ResolvedConfig.model_validate(run.config)
    if config.recipe == "add_breeds":
        add_breeds_to_run(attempt, config)
        return
    manifest, bundle = attempt.dataset()
    keeper = CheckpointStore(attempt)
    result = fit(
        config,
        manifest,
        bundle,
        paths=paths_of(attempt),
        reporter=attempt.reporter,
        keeper=keeper,
        device=attempt.settings.device,
        checkpoint_seconds=attempt.settings.checkpoint_seconds,
        initial=attempt.fetch_model(run.parent_id) if run.parent_id is not None else None,
        accumulation=attempt.accumulation,
        earlier=learned_earlier(attempt),
    )
    attempt.reporter.flush()
    milliseconds = answer_time(attempt, result.files)
    stored = attempt.store_files(result.files)

    def write(session: Session) -> None:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.reading)
        record_final(
            session,
            run.id,
            valid_loss=result.reading.valid_loss,
            error_rate=result.reading.error_rate,
            judgement=None if result.worth is None else result.worth.content(),
            answer_ms=milliseconds,
        )
        if result.failure is None:
            attempt.succeed(session)
        else:
            attempt.fail(session, _error(result.failure, run.id))

    attempt.write(write)
    keeper.forget()


def _error(failure: NoRateFound, run_id: int) -> dict[str, str | None]:
    hint = f"Go on with from_run {run_id}. {failure.hint}"
    detail = f"{failure.detail}, but the model of the phases before it is kept"
    return {"code": failure.code, "detail": detail, "hint": hint}
