"""A train job that adds breeds to its run's parent: fit their rows, store, register, and say so in one transaction."""

from pathlib import Path

from sqlalchemy.orm import Session

from ml.config import ResolvedConfig
from ml.learn.adding import add_breeds
from ml.learn.new_breeds import NewPhotos
from store.db.models import Artifact
from store.db.records import record_added, record_final
from store.db.registry import register
from store.keys import FEATURES, JUDGEMENT, predictions_name
from worker.attempt import Attempt, JobBroken
from worker.learned import learned_earlier
from worker.paths import paths_of


def add_breeds_to_run(attempt: Attempt, config: ResolvedConfig) -> None:
    """Do the job's work, which takes seconds: an attempt that broke off is begun again.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the work was put down or the job is not ours any more.
    """
    run = attempt.run
    if run.parent_id is None:
        raise JobBroken(f"run {run.id} adds breeds to no other run")
    manifest, source = attempt.dataset()
    datasets = [attempt.added_dataset(one) for one in config.added]
    result = add_breeds(
        config,
        manifest,
        source,
        [NewPhotos(*attempt.dataset(one.id)) for one in datasets],
        paths=paths_of(attempt),
        reporter=attempt.reporter,
        parent=_files_of(attempt, run.parent_id),
        device=attempt.settings.device,
        accumulation=attempt.accumulation,
        earlier=learned_earlier(attempt),
    )
    attempt.reporter.on_log(result.added.sentence())
    names = [predictions_name(one.id, run.dataset_id) for one in datasets]
    left_out = zip(names, (path for _, path in result.left_out), strict=True)
    stored = attempt.store_files({**result.fit.files, **dict(left_out)})

    def write(session: Session) -> None:
        attempt.record_files(session, stored)
        attempt.record_reading(session, result.fit.reading)
        for dataset, (reading, _) in zip(datasets, result.left_out, strict=True):
            attempt.record_reading(session, reading, dataset.id)
        record_final(
            session,
            run.id,
            valid_loss=result.fit.reading.valid_loss,
            error_rate=result.fit.reading.error_rate,
            judgement=None if result.fit.worth is None else result.fit.worth.content(),
        )
        attempt.succeed(session)
        version = register(session, run.id).version.id
        record_added(session, run.id, {**result.added.content(), "version": version})

    attempt.write(write)


def _files_of(attempt: Attempt, run_id: int) -> Path:
    """A folder with a run's weights, and what else it left of what is wanted: runs of before left less."""
    folder = attempt.fetch_model(run_id).parent
    for name in (JUDGEMENT, FEATURES):
        found = attempt.read(lambda session, name=name: session.get(Artifact, (run_id, name)))  # type: ignore[misc]
        if found is not None:
            attempt.fetch(found.key, folder / name, expected_sha256=found.sha256)
    return folder
