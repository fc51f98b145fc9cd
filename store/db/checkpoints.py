"""Which checkpoints of a run are kept, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.db.models import Run


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint's key in the artifact store; ``step`` is None for one of a version that did not record it."""

    key: str
    step: int | None


def checkpoints_of(session: Session, run_id: int) -> list[CheckpointRecord] | None:
    """What is kept of the run, newest first; None where nothing was ever recorded."""
    found = session.scalar(select(Run.checkpoints).where(Run.id == run_id))
    return None if found is None else [CheckpointRecord(one["key"], one["step"]) for one in found]


def record_checkpoints(session: Session, run_id: int, kept: Sequence[CheckpointRecord]) -> None:
    """Name what is kept from now on, newest first; a checkpoint is in the store before it is named."""
    named = [{"key": one.key, "step": one.step} for one in kept]
    session.execute(update(Run).where(Run.id == run_id).values(checkpoints=named))
