"""The file of a run's stored predictions."""

from pathlib import Path

from store.artifacts import ArtifactStore
from store.cache_names import predictions_copy
from store.db.models import Artifact


def predictions_file(artifacts: ArtifactStore, cache: Path, artifact: Artifact) -> Path:
    """Where it lies on this machine; a copy is fetched where the store is elsewhere.

    Raises:
        ArtifactMissing: the store does not hold it.
        ServiceUnavailable: the store does not answer.
    """
    path = artifacts.open_local(artifact.key)
    if path is not None:
        return path
    # Interpreting again replaces the artifact: the copy here goes by content.
    copy = predictions_copy(cache, artifact.run_id, artifact.sha256)
    return artifacts.fetch(artifact.key, copy, expected_sha256=artifact.sha256)
