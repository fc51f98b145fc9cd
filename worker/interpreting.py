"""An interpret job: renew the stored predictions of a finished run."""

from sqlalchemy.orm import Session

from ml.config import ResolvedConfig
from ml.examine import interpret
from ml.training import Places
from worker.attempt import Attempt


def interpret_run(attempt: Attempt) -> None:
    """Predict the run's validation side again and replace its interpretation.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    run = attempt.run
    manifest, bundle = attempt.dataset()
    result = interpret(
        ResolvedConfig.model_validate(run.config),
        manifest,
        bundle,
        places=Places(
            cache=attempt.settings.cache, weights=attempt.settings.weights, work=attempt.work, limits=attempt.limits
        ),
        reporter=attempt.reporter,
        model=attempt.fetch_model(run.id).parent,
        device=attempt.settings.device,
    )
    stored = attempt.store_files(result.files)

    def write(session: Session) -> None:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.reading)
        attempt.succeed(session)

    attempt.write(write)
