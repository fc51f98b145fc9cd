"""An interpret job: renew the stored predictions of a finished run."""

from ml.config import ResolvedConfig
from ml.errors import Stopped
from ml.examine import interpret
from store.db.jobs import change_state
from store.states import State
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
        places=attempt.places,
        reporter=attempt.reporter,
        model=attempt.fetch_model(run.id).parent,
        device=attempt.settings.device,
    )
    stored = attempt.store_files(result.files)
    with attempt.sessions.begin() as session:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.reading)
        if change_state(session, attempt.job.id, State.SUCCEEDED, attempt=attempt.number) is None:
            raise Stopped
