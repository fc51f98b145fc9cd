"""How long a trial's model takes to answer one photo: measured where it was trained, if its search asks for that."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from ml.learn.precision import choose_device
from ml.run_files import WEIGHTS
from ml.serve.classifier import Classifier
from ml.serve.speed import speed
from store.db.study_tables import Study
from worker.attempt import Attempt


def answer_time(attempt: Attempt, files: Mapping[str, Path]) -> float | None:
    """Milliseconds, the median of some passes in the exact way; None where nobody asks."""
    if not attempt.read(lambda session: _is_asked(session, attempt.run.study_id)):
        return None
    classifier = Classifier.load(files[WEIGHTS].parent, attempt.settings.device)
    _, milliseconds = speed(classifier, choose_device(attempt.settings.device))
    return milliseconds


def _is_asked(session: Session, study_id: int | None) -> bool:
    study = None if study_id is None else session.get(Study, study_id)
    return study is not None and study.asked["limits"]["answer_ms"] is not None
