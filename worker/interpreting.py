"""An interpret job: renew the stored predictions of a finished run, or predict another dataset with it."""

from sqlalchemy.orm import Session

from ml.config import ResolvedConfig
from ml.learn.examine import interpret
from ml.reading.metrics import Reading
from ml.run_files import PREDICTIONS
from store.keys import predictions_name
from worker.attempt import Attempt
from worker.learned import learned_earlier
from worker.paths import paths_of


def interpret_run(attempt: Attempt) -> None:
    """Predict the job's dataset and replace the run's interpretation of it.

    On the run's own dataset that is its validation side; on another one, every picture. The job's payload names the
    dataset by its row, so that a later revision under the same name changes nothing.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    run, payload = attempt.run, attempt.job.payload
    about = int(payload.get("dataset_id", run.dataset_id))
    is_own = about == run.dataset_id
    manifest, bundle = attempt.dataset(about)
    result = interpret(
        ResolvedConfig.model_validate(run.config),
        manifest,
        bundle,
        paths=paths_of(attempt),
        reporter=attempt.reporter,
        model=attempt.fetch_model(run.id).parent,
        device=attempt.settings.device,
        tta=bool(payload.get("config", {}).get("tta")),
        learned=None if is_own else attempt.manifest(run.dataset),
        # what did not fit in training is not tried here
        accumulation=max(attempt.accumulation, (run.plan or {}).get("accumulation", 1)),
        earlier=learned_earlier(attempt),
    )
    _tell_what_was_known(attempt, result.reading)
    name = predictions_name(about, run.dataset_id)
    replaced = attempt.key_of(name)
    stored = attempt.store_files({name: result.files[PREDICTIONS]})

    def write(session: Session) -> None:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.reading, about)
        attempt.succeed(session)

    attempt.write(write)
    if replaced is not None:
        attempt.drop(replaced)


def _tell_what_was_known(attempt: Attempt, reading: Reading) -> None:
    """A model does better on what it was trained on than it will on new pictures; whoever watches must hear of it."""
    known = sum(bool(row.get("trained_on")) for row in reading.items)
    if known:
        attempt.reporter.on_log(f"the model was trained on {known} of these {len(reading.items)} photos")
