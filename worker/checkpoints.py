"""Checkpoints in the artifact store, where the next attempt finds them, on whichever host it runs."""

from dataclasses import dataclass
from pathlib import Path

from store.artifacts import ArtifactStore

from store.keys import checkpoint_key


@dataclass(frozen=True)
class StoredKeeper:
    """Implements ``ml.checkpoint.CheckpointKeeper`` for a run."""

    artifacts: ArtifactStore
    run_id: int
    work: Path

    def load(self) -> Path | None:
        """Fetch the last checkpoint into the work folder."""
        key = checkpoint_key(self.run_id)
        if not self.artifacts.exists(key):
            return None
        return self.artifacts.fetch(key, self.work / "resumed.safetensors")

    def keep(self, path: Path) -> None:
        """Replace the stored checkpoint; the store does so as a whole or not at all."""
        self.artifacts.put_file(checkpoint_key(self.run_id), path)

    def forget(self) -> None:
        """Drop the checkpoint of a run that has its weights."""
        key = checkpoint_key(self.run_id)
        if self.artifacts.exists(key):
            self.artifacts.delete(key)
