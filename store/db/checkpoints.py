"""Which checkpoints of a run are kept, and where."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.db.models import Run


@dataclass(frozen=True)
class KeptCheckpoint:
    """A checkpoint's key in the artifact store; ``step`` is None for one of a version that did not record it."""

    key: str
    step: int | None


def checkpoints_of(session: Session, run_id: int) -> list[KeptCheckpoint] | None:
    """What is kept of the run, newest first; None where nothing was ever recorded."""
    found = session.scalar(select(Run.checkpoints).where(Run.id == run_id))
    return None if found is None else [KeptCheckpoint(**one) for one in found]


def record_checkpoints(session: Session, run_id: int, kept: Sequence[KeptCheckpoint]) -> None:
    """Name what is kept from now on, newest first; a checkpoint is in the store before it is named."""
    session.execute(update(Run).where(Run.id == run_id).values(checkpoints=[asdict(one) for one in kept]))
