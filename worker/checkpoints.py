"""Checkpoints in the artifact store, where the next attempt finds them, on whichever host it runs."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ml.errors import CheckpointInvalid, Stopped
from ml.learn.checkpoint import Fetch
from store.db.checkpoints import CheckpointRecord, checkpoints_of, record_checkpoints
from store.errors import ArtifactMissing, ServiceUnavailable
from store.keys import checkpoint_key, old_checkpoint_key
from worker.attempt import MIB, Attempt

log = logging.getLogger(__name__)


@dataclass
class CheckpointStore:
    """Implements ``ml.learn.checkpoint.CheckpointKeeper`` for an attempt at a run.

    The record names the two that are kept: so one that is gone is missed, and one of another database's run that has
    the same number is none of this run's.
    """

    attempt: Attempt
    _good: CheckpointRecord | None = field(default=None, init=False)
    """The newest that this attempt has kept or went on from: the one that stays beside the next."""

    def kept(self) -> Iterator[Fetch]:
        """Newest first, as the record says now: this attempt may have kept another one since it last asked."""
        for checkpoint in self._recorded():
            self._good = checkpoint
            yield partial(self._fetch, checkpoint)
        self._good = None

    def keep(self, path: Path, step: int) -> None:
        """Store a checkpoint after the steps that led to it are in the record, then name it there.

        A store that is away or full costs this checkpoint, not the training; whoever watches is told.

        Raises:
            Stopped: the job is not this attempt's any more; the checkpoints are another's now.
        """
        self.attempt.reporter.flush()
        if not self.attempt.reporter.is_ours():
            raise Stopped
        new = CheckpointRecord(checkpoint_key(self.attempt.run.id, self.attempt.number, step), step)
        try:
            self.attempt.artifacts.put_file(new.key, path, on_bytes=self._tell)
        except ServiceUnavailable as error:
            log.warning("job %d: a checkpoint was not kept: %s", self.attempt.job.id, error.detail)
            self.attempt.reporter.on_log(f"a checkpoint was not kept, the training goes on: {error.detail}")
        else:
            self._replace(new)
        finally:
            path.unlink()

    def forget(self) -> None:
        """Drop the checkpoints of a run that has its weights."""
        for checkpoint in self._recorded():
            self.attempt.drop(checkpoint.key)

    def _replace(self, new: CheckpointRecord) -> None:
        """Name the new one and the good one before it; what neither is goes, as does one that could not be used."""
        before = self._recorded()
        stay = [new, *([self._good] if self._good not in {None, new} else [])]
        run_id = self.attempt.run.id
        self.attempt.reporter.record(lambda session: record_checkpoints(session, run_id, stay))
        self._good = new
        for checkpoint in before:
            if checkpoint not in stay:
                self.attempt.drop(checkpoint.key)

    def _recorded(self) -> list[CheckpointRecord]:
        recorded = self.attempt.read(lambda session: checkpoints_of(session, self.attempt.run.id))
        if recorded is not None:
            return recorded
        old = old_checkpoint_key(self.attempt.run.id)
        # What a first attempt finds there is of another database's run.
        if self.attempt.number > 1 and self.attempt.stored(lambda artifacts: artifacts.exists(old)):
            return [CheckpointRecord(old, None)]
        return []

    def _fetch(self, checkpoint: CheckpointRecord) -> Path:
        local = self.attempt.work / "resumed.safetensors"
        local.unlink(missing_ok=True)
        try:
            return self.attempt.fetch(checkpoint.key, local)
        except ArtifactMissing as error:
            days = self.attempt.settings.checkpoint_days
            detail = f"the checkpoint of step {checkpoint.step} is not in the artifact store any more"
            raise CheckpointInvalid(f"{detail} (after a job's end it is kept for {days:g} days)") from error

    def _tell(self, done: int, total: int) -> None:
        self.attempt.reporter.on_aside("store", done // MIB, total // MIB)
