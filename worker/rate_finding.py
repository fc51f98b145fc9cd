"""An lr_find job: sweep, and store what was found; it leaves no files."""

from ml.config import LrFind
from ml.learn.lr_find import search
from worker.attempt import Attempt
from worker.paths import paths_of


def find_rate_of_run(attempt: Attempt) -> None:
    """Search a learning rate for the job's run, on a fresh model or on its parent's weights.

    A search without an answer is a success too: its record says why.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    run = attempt.run
    manifest, bundle = attempt.dataset()
    search(
        LrFind.model_validate(run.config),
        manifest,
        bundle,
        paths=paths_of(attempt),
        reporter=attempt.reporter,
        device=attempt.settings.device,
        initial=attempt.fetch_model(run.parent_id) if run.parent_id is not None else None,
        accumulation=attempt.accumulation,
    )
    attempt.write(attempt.succeed)
