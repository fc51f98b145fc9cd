"""What the runs before a run learned from."""

from ml.config import ResolvedConfig
from ml.data.split import training_pictures
from store.db.lineage import ancestors_of
from worker.attempt import Attempt


def learned_earlier(attempt: Attempt) -> frozenset[str]:
    """The pictures (sha256, hex) of the training sides of the run's ancestors, each by its own dataset and split."""
    ancestors = attempt.read(lambda session: ancestors_of(session, attempt.run))
    pictures: frozenset[str] = frozenset()
    for one in ancestors:
        config = ResolvedConfig.model_validate(one.config)
        pictures |= training_pictures(attempt.manifest(one.dataset), config)
    return pictures
