"""Checkpoints in the artifact store, where the next attempt finds them, on whichever host it runs."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from ml.errors import Stopped
from store.errors import ServiceUnavailable
from store.keys import checkpoint_key
from worker.attempt import MIB, Attempt

log = logging.getLogger(__name__)


@dataclass
class StoredKeeper:
    """Implements ``ml.checkpoint.CheckpointKeeper`` for an attempt at a run."""

    attempt: Attempt
    kept: bool = field(default=False, init=False)
    """Whether this attempt has kept one."""

    @property
    def _key(self) -> str:
        return checkpoint_key(self.attempt.run.id)

    def load(self) -> Path | None:
        """Fetch what this attempt or an earlier one kept; what a first attempt finds else is of another database's run.

        It asks the store each time: this attempt may have kept another one since it last asked.
        """
        if (self.attempt.number == 1 and not self.kept) or not self.attempt.artifacts.exists(self._key):
            return None
        local = self.attempt.work / "resumed.safetensors"
        local.unlink(missing_ok=True)
        return self.attempt.artifacts.fetch(self._key, local, on_bytes=self.attempt.tell_bytes("fetch"))

    def keep(self, path: Path) -> None:
        """Replace the stored checkpoint, as a whole or not at all, after the steps that led to it are in the record.

        A store that is away or full costs this checkpoint, not the training; whoever watches is told.

        Raises:
            Stopped: the job is not this attempt's any more; the checkpoint is another's now.
        """
        self.attempt.reporter.flush()
        if not self.attempt.reporter.is_ours():
            raise Stopped
        try:
            self.attempt.artifacts.put_file(self._key, path, on_bytes=self._tell)
            self.kept = True
        except ServiceUnavailable as error:
            log.warning("job %d: a checkpoint was not kept: %s", self.attempt.job.id, error.detail)
            self.attempt.reporter.on_log(f"a checkpoint was not kept, the training goes on: {error.detail}")
        finally:
            path.unlink()

    def forget(self) -> None:
        """Drop the checkpoint of a run that has its weights."""
        self.attempt.drop(self._key)

    def _tell(self, done: int, total: int) -> None:
        self.attempt.reporter.on_aside("store", done // MIB, total // MIB)
