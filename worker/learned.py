"""What the runs before a run learned from."""

from ml.config import ResolvedConfig
from ml.data.split import training_pictures
from store.db.lineage import ancestors_of
from worker.attempt import Attempt


def learned_earlier(attempt: Attempt) -> frozenset[str]:
    """The pictures (sha256, hex) of the training sides of the run's ancestors, each by its own dataset and split.

    With them are the photos of breeds that were added, there and by the run itself.
    """
    ancestors = attempt.read(lambda session: ancestors_of(session, attempt.run))
    pictures: frozenset[str] = frozenset()
    for one in ancestors:
        config = ResolvedConfig.model_validate(one.config)
        pictures |= training_pictures(attempt.manifest(one.dataset), config) | _added(attempt, config)
    return pictures | _added(attempt, ResolvedConfig.model_validate(attempt.run.config))


def _added(attempt: Attempt, config: ResolvedConfig) -> frozenset[str]:
    manifests = [attempt.manifest(attempt.added_dataset(one)) for one in config.added]
    return frozenset(item.sha256 for manifest in manifests for item in manifest.items if item.split != "test")
