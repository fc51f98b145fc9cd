"""Checkpoints in the artifact store, where the next attempt finds them, on whichever host it runs."""

import logging
from dataclasses import dataclass
from pathlib import Path

from ml.errors import Stopped
from store.errors import ServiceUnavailable
from store.keys import checkpoint_key
from worker.attempt import Attempt

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredKeeper:
    """Implements ``ml.checkpoint.CheckpointKeeper`` for an attempt at a run."""

    attempt: Attempt

    @property
    def _key(self) -> str:
        return checkpoint_key(self.attempt.run.id)

    def load(self) -> Path | None:
        """Fetch what an earlier attempt kept; what a first attempt finds is of another database's run."""
        if self.attempt.number == 1 or not self.attempt.artifacts.exists(self._key):
            return None
        return self.attempt.artifacts.fetch(self._key, self.attempt.work / "resumed.safetensors")

    def keep(self, path: Path) -> None:
        """Replace the stored checkpoint, as a whole or not at all, after the steps that led to it are in the record.

        A store that is away costs this checkpoint, not the training.

        Raises:
            Stopped: the job is not this attempt's any more; the checkpoint is another's now.
        """
        self.attempt.reporter.flush()
        if not self.attempt.reporter.is_ours():
            raise Stopped
        try:
            self.attempt.artifacts.put_file(self._key, path)
        except ServiceUnavailable as error:
            log.warning("job %d: a checkpoint was not kept: %s", self.attempt.job.id, error.detail)
        path.unlink()

    def forget(self) -> None:
        """Drop the checkpoint of a run that has its weights."""
        self.attempt.artifacts.delete(self._key)
